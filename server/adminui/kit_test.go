package adminui

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// during runs f, which may wait for the server's loops, while these run.
func (k *kit) during(f func()) {
	k.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		k.Settle()
		select {
		case <-done:
			k.Settle()
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// tick lets a second pass for the UI.
func (k *kit) tick() { k.during(func() { k.ui.tick(time.Now()) }) }
