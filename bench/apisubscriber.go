package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// apiSubscribers are clients that check what the API sends. Safe for concurrent use.
type apiSubscribers struct {
	conns      []net.Conn
	reading    sync.WaitGroup
	got, wrong atomic.Int64
	news       chan struct{}
}

// subscribe connects the subscribers and puts them into the room.
func (r *apiRun) subscribe(ctx context.Context) (*apiSubscribers, error) {
	s := &apiSubscribers{news: make(chan struct{}, 1)}
	if r.cfg.Subscribers == 0 {
		return s, nil
	}
	t, err := parseTarget(r.cfg.Clients)
	if err != nil {
		return nil, err
	}
	c, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	for range r.cfg.Subscribers {
		id, err := s.connect(ctx, "ws://"+t.host+t.query("websocket", ""), r.cfg.Connections)
		if err == nil {
			_, err = c.call("join", fmt.Appendf(nil, `{"rooms":[%q],"to":[%q]}`, id, apiRoom))
		}
		if err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// connect connects one subscriber and returns its id.
func (s *apiSubscribers) connect(ctx context.Context, url string, senders int) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	conn, ahead, _, err := ws.Dial(ctx, url)
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	s.conns = append(s.conns, conn)
	var in io.Reader = conn
	if ahead != nil {
		in = ahead
	}
	end := struct {
		io.Reader
		io.Writer
	}{in, conn}
	_ = conn.SetDeadline(time.Now().Add(arrival))
	for id == "" {
		text, err := wsutil.ReadServerText(end)
		if err != nil {
			return "", fmt.Errorf("bench: a subscriber was not let in: %w", err)
		}
		var hello struct{ SID string }
		switch {
		case strings.HasPrefix(string(text), "0"):
			if err := wsutil.WriteClientText(conn, []byte("40")); err != nil {
				return "", err
			}
		case strings.HasPrefix(string(text), "40"):
			_ = json.Unmarshal(text[2:], &hello)
			id = hello.SID
		case strings.HasPrefix(string(text), "44"):
			return "", fmt.Errorf("bench: a subscriber was refused: %s", text[2:])
		}
	}
	_ = conn.SetDeadline(time.Time{})
	s.reading.Go(func() { s.read(end, senders) })
	return id, nil
}

// read checks that the events of each sender come once and in order. Those that the node refused leave gaps.
func (s *apiSubscribers) read(end io.ReadWriter, senders int) {
	next := make([]int, senders)
	for {
		text, err := wsutil.ReadServerText(end)
		if err != nil {
			return
		}
		if string(text) == "2" {
			_ = wsutil.WriteClientText(end, []byte("3"))
			continue
		}
		rest, ok := strings.CutPrefix(string(text), `42["tick",`)
		if !ok {
			continue // what the node says by itself
		}
		var sender, n int
		if _, err := fmt.Sscanf(rest, "%d,%d,", &sender, &n); err != nil || sender < 0 || sender >= senders || n < next[sender] {
			s.wrong.Add(1)
		} else {
			next[sender] = n + 1
		}
		s.got.Add(1)
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// await waits until so many events have come, or nothing more comes.
func (s *apiSubscribers) await(ctx context.Context, wanted int64) {
	for s.got.Load() < wanted {
		select {
		case <-s.news:
		case <-ctx.Done():
			return
		case <-time.After(arrival):
			return
		}
	}
}

func (s *apiSubscribers) close() {
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.reading.Wait()
}
