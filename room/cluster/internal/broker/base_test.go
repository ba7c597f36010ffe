package broker

import (
	"errors"
	"net"
	"testing"
)

// A link ends once, with the first reason, and takes its connections along; what comes later is closed at once.
func TestBaseEnds(t *testing.T) {
	reason := errors.New("a reason")
	for want, err := range map[error]error{reason: reason, ErrEnded: nil} {
		b := NewBase()
		here, there := net.Pipe()
		gone, other := net.Pipe()
		defer other.Close()
		conn, _ := b.Add(here)
		if closed, _ := b.Add(gone); closed.Close() != nil || len(b.conns) != 1 {
			t.Error("a closed connection is kept")
		}
		order := ""
		if !b.End(err, func() {
			if order = "before"; !b.Ended() {
				t.Error("it has not ended")
			}
			go func() { _, _ = there.Write([]byte{1}) }()
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Error("the connection was closed too early:", err)
			}
		}) || order == "" {
			t.Error("the first end is none")
		}
		if b.End(errors.New("another"), func() { t.Error("twice") }) || !errors.Is(b.Err(), want) {
			t.Error(b.Err())
		}
		if _, err := there.Read(make([]byte, 1)); err == nil {
			t.Error("the connection is open")
		}
		late, far := net.Pipe()
		if _, err := b.Add(late); !errors.Is(err, ErrEnded) {
			t.Error(err)
		}
		if _, err := far.Read(make([]byte, 1)); err == nil {
			t.Error("the late connection is open")
		}
	}
}
