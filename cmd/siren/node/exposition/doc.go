// Package exposition is /metrics of the node: the numbers of its server, of its API, of tokens and webhooks, and of the
// process, in the formats of Prometheus. Safe for concurrent use.
package exposition
