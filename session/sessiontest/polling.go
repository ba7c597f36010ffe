package sessiontest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Polling is a session whose transport is HTTP long-polling.
type Polling struct {
	gets, posts *exchange
	target      string
	// SID is the session's id.
	SID string
}

// exchange is the client's side of an HTTP/1.1 connection.
type exchange struct {
	conn net.Conn
	in   *bufio.Reader
}

func newExchange(c net.Conn) *exchange { return &exchange{c, bufio.NewReaderSize(c, readBytes)} }

// JoinPolling opens a Socket.IO session at the path and connects to the namespace "/". It sends GETs on one connection
// and POSTs on another. If posts is nil, both use the same one, and nothing can be sent while a GET waits.
func JoinPolling(gets, posts net.Conn, path string) (*Polling, error) {
	p := &Polling{gets: newExchange(gets), target: path + "?EIO=4&transport=polling"}
	if p.posts = p.gets; posts != nil {
		p.posts = newExchange(posts)
	}
	packets, err := p.Get()
	if err != nil {
		return nil, err
	}
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(packets[0].Text, "0")), &open); err != nil || open.SID == "" {
		return nil, fmt.Errorf("sessiontest: the open packet is %v", packets[0])
	}
	p.SID = open.SID
	p.target += "&sid=" + p.SID
	if err := p.Post("40"); err != nil {
		return nil, err
	}
	packets, err = p.Get()
	if err == nil && packets[0].Text == "1" {
		return nil, ErrGoodbye
	}
	if err != nil || !strings.HasPrefix(packets[0].Text, "40{") {
		return nil, fmt.Errorf("sessiontest: got %v, %w; want CONNECT", packets, err)
	}
	return p, nil
}

// Post sends packets in one request.
func (p *Polling) Post(packets ...string) error {
	body := strings.Join(packets, "\x1e")
	err := p.posts.ask("POST %s HTTP/1.1\r\nHost: siren.example\r\nContent-Length: %d\r\n\r\n%s", p.target, len(body), body)
	if err != nil {
		return err
	}
	got, err := p.posts.answer()
	if err == nil && string(got) != "ok" {
		err = fmt.Errorf("sessiontest: the POST was answered with %.100q", got)
	}
	return err
}

// Ask sends a GET, whose answer Answer waits for.
func (p *Polling) Ask() error {
	return p.gets.ask("GET %s HTTP/1.1\r\nHost: siren.example\r\n\r\n", p.target)
}

// Answer returns the answer to the GET that Ask has sent.
func (p *Polling) Answer() ([]Message, error) {
	body, err := p.gets.answer()
	if err != nil {
		return nil, err
	}
	var packets []Message
	for _, text := range strings.Split(string(body), "\x1e") {
		packets = append(packets, MessageOf(text))
	}
	return packets, nil
}

// Get is Ask, then Answer.
func (p *Polling) Get() ([]Message, error) {
	if err := p.Ask(); err != nil {
		return nil, err
	}
	return p.Answer()
}

// Rest waits for the answer to a GET if waiting is set, because one was sent, and sends further GETs until a close
// packet arrives or a request fails. It answers pings. Then it closes the connections.
func (p *Polling) Rest(waiting bool) Ending {
	defer p.Close()
	var e Ending
	for !e.Closed {
		if !waiting {
			if e.Err = p.Ask(); e.Err != nil {
				return e
			}
		}
		waiting = false
		packets, err := p.Answer()
		if err != nil {
			e.Err = err
			return e
		}
		for _, m := range packets {
			switch m.Text {
			case "1":
				e.Closed = true
			case "2":
				e.Err = p.Post("3")
			case "6":
			default:
				e.Messages = append(e.Messages, m)
			}
		}
		if e.Err != nil {
			return e
		}
	}
	return e
}

// Close closes the connections.
func (p *Polling) Close() {
	_ = p.gets.conn.Close()
	_ = p.posts.conn.Close()
}

func (x *exchange) ask(format string, args ...any) error {
	_ = x.conn.SetWriteDeadline(time.Now().Add(Patience))
	_, err := fmt.Fprintf(x.conn, format, args...)
	return err
}

// answer reads an answer with status 200 and returns its body.
func (x *exchange) answer() ([]byte, error) {
	_ = x.conn.SetReadDeadline(time.Now().Add(Patience))
	resp, err := http.ReadResponse(x.in, nil)
	if err != nil {
		return nil, noEOF(err)
	}
	body, err := io.ReadAll(steady{resp.Body, x.conn})
	_ = resp.Body.Close()
	switch {
	case err != nil:
		return nil, noEOF(err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("sessiontest: %s: %.100q", resp.Status, body)
	case len(body) == 0:
		return nil, errors.New("sessiontest: an answer without a body")
	}
	return body, nil
}

// steady is a reader that waits up to Patience for each read, however long all of them take.
type steady struct {
	io.Reader
	conn net.Conn
}

func (s steady) Read(p []byte) (int, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(Patience))
	return s.Reader.Read(p)
}
