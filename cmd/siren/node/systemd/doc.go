// Package systemd speaks with the supervisor of the process: it takes the sockets that the supervisor has opened, and
// tells it when the service is ready, alive and stopping. Without such a supervisor it does nothing.
package systemd
