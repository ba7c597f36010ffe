// Package webhook tells a backend what clients do, by signed POST requests, and reads what it answers.
//
// A Sender asks the backend about clients that connect (Connect) and about their events (Event), and waits for the
// answer; it tells of their end (Disconnect) in the background, with retries. Requests are signed by the Standard
// Webhooks scheme.
//
//	s, err := webhook.New(webhook.Config{URL: "https://backend.example/hooks", Secrets: []string{"whsec_..."}})
//	...
//	answer, err := s.Connect(ctx, &webhook.Data{Namespace: "/", Socket: id})
//	switch {
//	case err != nil: // wraps ErrUnavailable
//	case !answer.Allow:
//	}
//
// # Bounds
//
// At most MaxInFlight requests are made at once; a bounded number of hooks waits behind them. A circuit breaker keeps a
// backend that is down from making everybody wait: while it is open, hooks fail at once. A hook that waits has no
// goroutine and no timer of the Sender's.
//
// # Order
//
// Hooks of one socket are made in the order of the calls when each call returns before the next one is made, and
// Disconnect is the last.
//
// Sender is safe for concurrent use.
package webhook
