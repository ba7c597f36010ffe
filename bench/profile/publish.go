package profile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/seed58c87869/siren/bench/client"
)

// idlePoll is how often the publisher looks for a rate, or for users, when there is none.
const idlePoll = 10 * time.Millisecond

// publishAll publishes at the rate of the stages until they end. Publications are due at certain times, however long
// they take. While no user may publish, nothing is due.
func (r *run) publishAll(ctx context.Context) {
	end := r.p.length()
	due := time.Duration(0)
	for ctx.Err() == nil {
		now := time.Since(r.begun)
		if now >= end {
			return
		}
		_, rate := r.p.at(due)
		if rate <= 0 || !r.canPublish() {
			r.wait(ctx, idlePoll)
			due = time.Since(r.begun)
			continue
		}
		if due > now {
			r.wait(ctx, min(due-now, idlePoll))
			continue
		}
		r.publishOne(due)
		due += time.Duration(float64(time.Second) / rate)
	}
}

// wait sleeps, less if ctx ends, and notes how much longer than it was to.
func (r *run) wait(ctx context.Context, d time.Duration) {
	begin := time.Now()
	select {
	case <-time.After(d):
		r.lagged(time.Since(begin) - d)
	case <-ctx.Done():
	}
}

// canPublish reports whether anybody can.
func (r *run) canPublish() bool {
	if r.p.Publish.HTTP != nil {
		return r.ready.Load() > 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.publishers) > 0
}

// publishOne makes the publication that is due.
func (r *run) publishOne(due time.Duration) {
	if r.p.Publish.HTTP != nil {
		n := r.book.add(nobody, due)
		r.answers.Add(1)
		select {
		case r.requests <- outgoing{n, due}:
		default:
			r.answers.Add(-1)
			r.refused(n, &client.Fault{Expected: "an answer to an HTTP request",
				Got:  fmt.Sprintf("none to %d requests", cap(r.requests)),
				Next: "publish less often, or raise publish.http.in_flight"})
		}
		return
	}
	r.mu.Lock()
	if len(r.publishers) == 0 {
		r.mu.Unlock()
		return
	}
	r.turn++
	u := r.publishers[r.turn%len(r.publishers)]
	// Under the lock of the run, so that a user that leaves has all that is its in its outbox.
	n := r.book.add(u.number, due)
	full := false
	select {
	case u.outbox <- outgoing{n, due}:
	default:
		full = true
	}
	r.mu.Unlock()
	if full {
		r.refused(n, &client.Fault{Expected: "a server that reads", Got: fmt.Sprintf("%d events in the queue of a user", queued),
			Next: "publish less often, or with more users"})
	}
}

// refused notes a publication that nobody is to get.
func (r *run) refused(n int, err error) {
	r.book.void(n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.publishFailed++
	r.reason(err)
}

// at returns the values of a publication.
func (r *run) at(v values, o outgoing) values {
	v.sequence = o.n
	v.micros = r.begun.Add(o.due).UnixMicro()
	return v
}

// send sends a publication on the user's session.
func (u *user) send(o outgoing) {
	x := u.run.p.Publish
	v := u.run.at(u.values, o)
	if u.own != nil && u.run.matching == byCount {
		u.mu.Lock()
		u.oldest = append(u.oldest, o.n)
		u.mu.Unlock()
	}
	var ack func([]byte, time.Time)
	if x.Ack {
		u.owe(1)
		ack = func(args []byte, at time.Time) {
			u.owe(-1)
			refused, _ := parsePath(x.AckError) // it has been checked
			if err := refusal(refused, args, x.Emit); err != nil {
				u.run.refused(o.n, err)
				return
			}
			u.answered(at, o.due)
		}
	}
	// If the session has ended, the loss is counted, and the publication did not leave.
	if err := u.client.Emit(x.Emit, x.args.append(nil, &v), ack); err != nil {
		u.run.book.void(o.n)
		if x.Ack {
			u.owe(-1)
		}
		return
	}
	u.run.published.Add(1)
}

// owe counts answers that are waited for.
func (u *user) owe(n int64) {
	u.pending.Add(n)
	u.run.answers.Add(n)
}

// answered notes the answer to a publication.
func (u *user) answered(at time.Time, due time.Duration) { u.run.answered(u.shard, at, due) }

func (r *run) answered(s *shard, at time.Time, due time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer.add(at.Sub(r.begun) - due)
}

// requestAll makes the HTTP requests of one of several connections.
func (r *run) requestAll(ctx context.Context, s *shard) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-r.requests:
			if err := r.request(ctx, o); err != nil {
				if ctx.Err() == nil {
					r.answers.Add(-1)
					r.refused(o.n, err)
				}
				continue
			}
			r.answers.Add(-1)
			r.published.Add(1)
			r.answered(s, time.Now(), o.due)
		}
	}
}

// request publishes by HTTP. The row of the data is that of the publication's number.
func (r *run) request(ctx context.Context, o outgoing) error {
	h := r.p.Publish.HTTP
	v := r.at(values{user: o.n, tag: r.tag, row: r.p.data.row(o.n)}, o)
	ctx, cancel := context.WithTimeout(ctx, r.p.Connect.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(h.Method), h.URL, bytes.NewReader(h.body.append(nil, &v)))
	if err != nil {
		return err
	}
	if _, text := h.Body.(string); !text && h.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, t := range h.headers {
		req.Header.Set(name, v.text(t))
	}
	want := "status 200 to 299"
	if h.Status != 0 {
		want = fmt.Sprintf("status %d", h.Status)
	}
	expected := fmt.Sprintf("%s of %s %s", want, strings.ToUpper(h.Method), h.URL)
	resp, err := r.http.Do(req)
	if err != nil {
		return client.Unreachable(&r.p.options, expected, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // the status is what counts
	if h.Status == resp.StatusCode || h.Status == 0 && resp.StatusCode/100 == 2 {
		return nil
	}
	return client.RefusedHTTP(&r.p.options, expected, resp.StatusCode, body)
}
