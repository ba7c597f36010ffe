package adminui

import (
	"testing"

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
	}
	k.ui.Close()
}
