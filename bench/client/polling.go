package client

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// payloadMax bounds the body of an answer.
const payloadMax = 64 << 20

// poller is a long-polling transport. One goroutine reads; writing is safe for concurrent use.
type poller struct {
	o      *Options
	ctx    context.Context // of all requests
	cancel context.CancelFunc
	ahead  [][]byte // packets of the last answer that were not read yet

	mu  sync.Mutex // one POST at a time, which keeps packets in order; guards sid
	sid string

	deadline struct {
		sync.Mutex
		at time.Time
	}
}

func newPoller(o *Options) *poller {
	ctx, cancel := context.WithCancel(context.Background())
	return &poller{o: o, ctx: ctx, cancel: cancel}
}

// read returns the next packet.
func (p *poller) read() (packet []byte, binary bool, err error) {
	for len(p.ahead) == 0 {
		body, err := p.request(http.MethodGet, nil)
		if err != nil {
			return nil, false, err
		}
		p.ahead = bytes.Split(body, []byte{eio.Separator})
	}
	packet, p.ahead = p.ahead[0], p.ahead[1:]
	if len(packet) > 0 && packet[0] == 'b' {
		decoded, err := eio.ParseText(packet)
		return decoded.Data, true, err
	}
	return packet, false, nil
}

// write sends a packet in a POST of its own.
func (p *poller) write(packet []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, err := p.request(http.MethodPost, packet)
	if err == nil && string(body) != "ok" {
		err = &Fault{Expected: `the answer "ok" to a POST`, Got: quoted(body)}
	}
	return err
}

// request makes one HTTP request and returns the body of the answer.
func (p *poller) request(method string, body []byte) ([]byte, error) {
	ctx := p.ctx
	p.deadline.Lock()
	at := p.deadline.at
	p.deadline.Unlock()
	if !at.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, at)
		defer cancel()
	}
	const expected = "an answer to a long-polling request (HTTP status 200)"
	req, err := http.NewRequestWithContext(ctx, method, p.o.address(false, p.sid), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	header, host := p.o.header()
	if header != nil {
		req.Header = header
	}
	if host != "" {
		req.Host = host
	}
	if body != nil {
		req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	resp, err := p.o.HTTP.Do(req)
	if err != nil {
		return nil, Unreachable(p.o, expected, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, payloadMax))
	if err != nil {
		return nil, Unreachable(p.o, expected, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, RefusedHTTP(p.o, expected, resp.StatusCode, text)
	}
	return text, nil
}

// expire sets the time at which later requests end; zero for never.
func (p *poller) expire(t time.Time) {
	p.deadline.Lock()
	defer p.deadline.Unlock()
	p.deadline.at = t
}

// close ends the session: the server hears a close packet, if it listens.
func (p *poller) close() {
	if p.sid != "" && p.ctx.Err() == nil {
		p.expire(time.Now().Add(closeTime))
		late := time.AfterFunc(closeTime, p.cancel) // the answer to an earlier POST may not come
		defer late.Stop()
		_ = p.write([]byte("1"))
	}
	p.cancel()
}
