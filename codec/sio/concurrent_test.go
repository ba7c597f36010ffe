package sio

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The functions share pools and caches. The packets of concurrent callers must not
// mix.
func TestConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				name := strconv.Itoa(g*1000 + i)
				v := tagged{A: name, B: []byte("b" + name), C: []any{blob("c" + name), map[string]any{"x": name}}}
				out, attachments, err := AppendEvent(nil, "/", -1, "e", []any{v, map[string]any{"m": []byte(name)}})
				if err != nil || len(attachments) != 3 {
					t.Error(err, len(attachments))
					return
				}
				var p Packet
				if err := Parse(out, nil, &p); err != nil {
					t.Error(err)
					return
				}
				arg, rest := NextArg(p.Args)
				var got tagged
				var m map[string]any
				if err := Unmarshal(arg, attachments, &got); err != nil {
					t.Error(err)
				}
				if err := Unmarshal(rest, attachments, &m); err != nil {
					t.Error(err)
				}
				list, _ := got.C.([]any)
				if got.A != name || string(got.B) != "b"+name || len(list) != 2 || string(list[0].([]byte)) != "c"+name || string(m["m"].([]byte)) != name {
					t.Errorf("%s came back as %+v, %v", name, got, m)
				}
			}
		})
	}
	wg.Wait()
}

// A panic in a user's method leaves the pools usable.
func TestPanicInMethod(t *testing.T) {
	func() {
		defer func() { _ = recover() }()
		_, _, _ = AppendEvent(nil, "/", -1, "e", []any{[]byte("x"), panicking{}})
	}()
	for range 10 {
		out, list, err := AppendEvent(nil, "/", -1, "e", []any{[]byte("y"), ordinary{}})
		if err != nil || len(list) != 1 || string(list[0]) != "y" || !strings.HasPrefix(string(out), `51-["e",`+ph0+`,{"id"`) {
			t.Fatal(string(out), list, err)
		}
	}
}

type panicking struct{}

func (panicking) MarshalJSON() ([]byte, error) { panic("on purpose") }
