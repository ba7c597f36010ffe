package server

import (
	"time"

	"github.com/seed58c87869/siren/session"
)

// SetHeartbeat changes the heartbeat of the socket's connection, which its sockets in other namespaces share, from now
// on. The client is not told: it gives up when no ping has come for the interval and the timeout of its open packet,
// so an interval longer than that one's is refused with an error. The timeout, the server's patience for the answer,
// may be anything from 1 ms. Clients of protocol 3 ping by themselves, as often as they were told. To announce other
// values, see Config.Tune.
func (s *Socket) SetHeartbeat(interval, timeout time.Duration) error {
	return s.client.sess.Retune(func(t *session.Tuning) { t.PingInterval, t.PingTimeout = interval, timeout })
}

// SetQueue changes what may wait for the socket's client, on the connection that its sockets in other namespaces
// share, from now on; the client knows nothing of it. Zero numbers stay as they are. MaxBytes may not be more than
// Config.Queue.MaxBytes; errors name what is wrong.
func (s *Socket) SetQueue(q Queue) error {
	return s.client.sess.Retune(func(t *session.Tuning) {
		if q.MaxBytes != 0 {
			t.QueueBytes = q.MaxBytes
		}
		if q.VolatileBytes != 0 {
			t.VolatileBytes = q.VolatileBytes
		}
		t.OnFull = q.OnFull
	})
}

// Tuning returns the settings of the socket's connection that are in force.
func (s *Socket) Tuning() Tuning { return s.client.sess.Tuning() }
