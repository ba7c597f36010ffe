package adminui

import (
	"context"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server/servertest"
)

// Replace ends a UI, also one that is closed, and serves another one in its place, with other Options. Wrong Options
// change nothing.
func TestReplace(t *testing.T) {
	k := start(t, Options{Anonymous: true, Mode: Development})
	admin := k.Connect("/admin", nil)
	k.ui.dropped.Add(3)
	for _, wrong := range []Options{{Anonymous: true, Mode: "both"}, {Anonymous: true, Namespace: "/other"}, {}} {
		if _, err := k.ui.Replace(wrong); err == nil {
			t.Errorf("%+v is no error", wrong)
		}
	}
	k.Settle()
	if !admin.Connected() {
		t.Fatal("wrong options have ended the UI")
	}
	for _, closed := range []bool{false, true} {
		if closed {
			k.ui.Close()
		}
		next, err := k.ui.Replace(Options{Username: "admin", PasswordBcrypt: hash, ReadOnly: true, manual: true})
		must(t, err)
		k.ui = next
		k.Settle()
		if admin.Connected() || next.Dropped() != 3 {
			t.Errorf("connected %v, %d dropped", admin.Connected(), next.Dropped())
		}
		if r := k.Client(servertest.Namespace("/admin")).Refused(); r == nil || r.Message != "invalid credentials" {
			t.Errorf("%+v", r)
		}
		admin = k.Connect("/admin", map[string]string{"username": "admin", "password": "changeit"})
		if n := next.present.Load(); n != 1 {
			t.Errorf("%d UIs are counted, want 1", n)
		}
	}
	k.ui.Close()
}

// closingStore does something while somebody signs in, behind the check of the password.
type closingStore struct {
	Store
	meanwhile func()
}

func (s *closingStore) Save(ctx context.Context, id string) error {
	s.meanwhile()
	return s.Store.Save(ctx, id)
}

// Nobody is let in by a UI that was closed, or replaced, while the password was checked.
func TestSignInWhileUIEnds(t *testing.T) {
	for name, end := range map[string]func(k *kit){
		"closed": func(k *kit) { k.ui.Close() },
		"replaced": func(k *kit) {
			next, err := k.ui.Replace(Options{Username: "other", PasswordBcrypt: hash, manual: true})
			must(t, err)
			k.ui = next
		},
	} {
		store := &closingStore{Store: newMemoryStore(time.Hour)}
		k := start(t, Options{Username: "admin", PasswordBcrypt: hash, Store: store})
		store.meanwhile = func() { end(k) }
		c := k.Client(servertest.Namespace("/admin"), servertest.Auth(map[string]string{"username": "admin", "password": "changeit"}))
		if r := c.Refused(); r == nil || r.Message != errClosed.Error() {
			t.Errorf("%s: %+v", name, r)
		}
		if n := k.ui.present.Load(); n != 0 {
			t.Errorf("%s: %d UIs are counted", name, n)
		}
		k.ui.Close()
	}
}
