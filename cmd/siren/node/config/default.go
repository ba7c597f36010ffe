package config

import "time"

// Default is the configuration without a file, environment and flags. The defaults of the protocol are the reference
// server's.
func Default() Config {
	return Config{
		Listen: []string{"tcp://:3000"},
		Path:   "/socket.io",
		Engine: Engine{PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, MaxPayload: 1_000_000},
		Demo:   true,
		// 4 MiB holds a batch of 1,000 events of 4 KiB.
		Admin:      Admin{Listen: "127.0.0.1:3001", MaxBody: 4 << 20},
		AdminUI:    AdminUI{Mode: "production"},
		Namespaces: []Namespace{{Name: "/", Publish: true, Join: true, Presence: true, Rooms: []string{"*"}}},
		Limits: Limits{
			RoomsPerSocket: 1000,
			QueueBytes:     2 << 20, // two of the largest messages, as a burst queues them in one turn of a loop
		},
		Webhooks: Webhooks{
			Events: []string{"connect", "disconnect", "event"}, Timeout: 5 * time.Second,
			MaxInFlight: 256, Queue: 10_000, OnFailure: "deny",
		},
		Drain: Drain{Timeout: 30 * time.Second, Spread: 10 * time.Second},
		Log:   Log{Level: "info", Format: "text"},
	}
}
