package systemd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// supervisor listens for what the service tells, as systemd does.
func supervisor(t *testing.T) (next func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 1024)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestNotifier(t *testing.T) {
	next := supervisor(t)
	n := Notifier{slog.New(slog.DiscardHandler)}
	n.Ready()
	if got := next(); got != "READY=1" {
		t.Error(got)
	}
	n.Stopping(90 * time.Second)
	if got := next(); got != "STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000" {
		t.Error(got)
	}
}

// The watchdog is told while the service lives, and only then.
func TestWatch(t *testing.T) {
	next := supervisor(t)
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	looks, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		Notifier{slog.New(slog.DiscardHandler)}.Watch(ctx, func(ctx context.Context) error {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("looking takes as long as it wants")
			}
			if looks++; looks == 3 {
				Notifier{slog.New(slog.DiscardHandler)}.tell("looked in vain")
				return errors.New("a loop stands still")
			}
			return nil
		})
	}()
	var told []string
	for range 4 {
		told = append(told, next())
	}
	cancel()
	<-done
	if got := strings.Join(told, ", "); got != "WATCHDOG=1, WATCHDOG=1, looked in vain, WATCHDOG=1" {
		t.Error(got)
	}
	t.Setenv("WATCHDOG_USEC", "")
	Notifier{slog.New(slog.DiscardHandler)}.Watch(t.Context(), nil) // returns: there is no watchdog
}

// Sockets without the names of the listeners go by their order.
func TestActivatedNothing(t *testing.T) {
	t.Setenv("LISTEN_PID", "1") // another process's
	t.Setenv("LISTEN_FDS", "2")
	s, err := Activated()
	if err != nil || len(s.Clients) != 0 || s.Admin != nil {
		t.Errorf("%+v, %v", s, err)
	}
}
