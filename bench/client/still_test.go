package client

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// ends fails if fn does not return.
func ends(t *testing.T, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal(what + " does not end")
	}
}

// A server that sends pings and reads nothing ends the session, with a fault that says so.
func TestServerThatReadsNothing(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	s := &socket{conn: near, buffer: make([]byte, readBuffer), patience: 100 * time.Millisecond}
	c := &Client{o: &Options{}, wire: s, done: make(chan struct{}), acks: map[uint64]func([]byte, time.Time){}}
	go c.run()
	go func() { _, _ = far.Write([]byte("\x81\x012")) }() // a ping, whose pong is not read
	ends(t, "the session", func() { <-c.Done() })
	var f *Fault
	if err := c.Err(); !errors.As(err, &f) || f.Expected != "a server that reads" {
		t.Error(err)
	}
}

// A session on long-polling ends although the answer to a POST does not come.
func TestPostWithoutAnswer(t *testing.T) {
	came, end := make(chan struct{}, 10), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-end
	}))
	defer srv.Close()
	defer close(end)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := newPoller(&Options{URL: u, HTTP: NewHTTP(nil)})
	p.sid = "sid"
	post := make(chan error, 1)
	go func() { post <- p.write([]byte("42[]")) }()
	<-came
	ends(t, "the session", p.close)
	if err := <-post; err == nil {
		t.Error("a POST without an answer succeeds")
	}
}
