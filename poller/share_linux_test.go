package poller

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/poller/portshare"
)

// greeter is an engine that sends its name to each connection, whose descriptors are few.
func greeter(t *testing.T, name string, addrs ...string) *Engine {
	t.Helper()
	e := start(t, Config{Addrs: addrs, Loops: 2, MaxConns: 4096, SharePort: true, Accept: func(c *Conn) Receiver {
		c.Queue([]byte(name))
		return &peer{closed: make(chan error, 1)}
	}})
	return e
}

// greeting connects and returns the name of the engine that has served the connection.
func greeting(addr net.Addr) (string, error) {
	c, err := net.DialTimeout("tcp", addr.String(), 10*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	name := make([]byte, 1)
	_, err = io.ReadFull(c, name)
	return string(name), err
}

// An engine takes over the addresses of another one while clients connect all the time: each of them is served, and in
// the end all by the new one. It goes on so for a chain of engines.
func TestTakeOver(t *testing.T) {
	first := greeter(t, "0", "tcp://127.0.0.1:0", "tcp://[::]:0")
	addrs := first.Addrs()
	var fixed []string
	for _, a := range addrs {
		fixed = append(fixed, "tcp://"+a.String())
	}
	var over atomic.Bool
	var dialing sync.WaitGroup
	var dialed atomic.Int64
	for i := range 8 {
		addr := addrs[i%2]
		dialing.Go(func() {
			for !over.Load() {
				if _, err := greeting(addr); err != nil {
					t.Error(err)
					return
				}
				dialed.Add(1)
			}
		})
	}
	before := first
	for i := 1; i <= 5; i++ {
		next := greeter(t, fmt.Sprint(i), fixed...)
		if err := next.TakeOver(); err != nil {
			t.Fatal(err)
		}
		for stopped := range 2 { // first both listen
			if stopped == 1 {
				if err := before.StopListening(); err != nil {
					t.Fatal(err)
				}
			}
			for _, a := range addrs {
				for range 20 {
					if name, err := greeting(a); err != nil || name != fmt.Sprint(i) {
						t.Fatalf("served by %q, %v; want %d", name, err, i)
					}
				}
			}
		}
		before = next
	}
	over.Store(true)
	dialing.Wait()
	if n := dialed.Load(); n < 100 {
		t.Errorf("only %d connections", n)
	}
	if err := first.Err(); err != nil {
		t.Errorf("the first engine has ended: %v", err)
	}
}

// Connections that wait in the queue of a listening socket are served before it closes.
func TestAcceptQueued(t *testing.T) {
	e := greeter(t, "a", "tcp://127.0.0.1:0")
	fd, err := portshare.Bind("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closeFile(fd)
	addr, err := portshare.Bound(fd)
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err != nil {
		t.Fatal(err)
	}
	var waiting []net.Conn
	for range 100 {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		waiting = append(waiting, c)
	}
	if err := e.acceptQueued(fd); err != nil {
		t.Fatal(err)
	}
	for _, c := range waiting {
		expect(t, c, "a")
	}
}

// What cannot be shared is refused, and an engine that cannot listen on one of its addresses has joined no group.
func TestSharePortRefusals(t *testing.T) {
	accept := func(*Conn) Receiver { return nil }
	var bad *ConfigError
	for field, cfg := range map[string]Config{
		"Addrs":     {Addrs: []string{"unix:///tmp/siren-never"}, SharePort: true},
		"SharePort": {Addrs: []string{"127.0.0.1:0"}, SharePort: true, ReusePort: true},
	} {
		cfg.Accept, cfg.Logger = accept, quiet()
		if _, err := New(cfg); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	alone := start(t, Config{Addrs: []string{"127.0.0.1:0"}, Accept: accept})
	if err := errors.Join(alone.TakeOver(), alone.StopListening()); !errors.Is(err, errNotShared) {
		t.Error(err)
	}
	shared := greeter(t, "s", "tcp://127.0.0.1:0")
	second, err := New(Config{
		Addrs: []string{"tcp://" + shared.Addrs()[0].String(), "tcp://" + alone.Addrs()[0].String()}, SharePort: true,
		Accept: accept, Logger: quiet(), MaxConns: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
	for range 50 { // a socket that had listened would have got some
		if name, err := greeting(shared.Addrs()[0]); err != nil || name != "s" {
			t.Fatal(name, err)
		}
	}
}
