package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

// The answer to a request with an Idempotency-Key is given again, to the same request alone.
func TestIdempotencyKeys(t *testing.T) {
	n := start(t, []string{"first key", "second key"}, nil)
	c := n.connect("ann")
	with := func(call, body, key string, header ...string) answered {
		t.Helper()
		return n.post(call, body, append([]string{"Idempotency-Key", key}, header...)...)
	}
	check := func(a answered, status int, replayed, code string) {
		t.Helper()
		got, _ := a.value["code"].(string)
		if a.status != status || a.header.Get("Idempotent-Replayed") != replayed || got != code {
			t.Errorf("%d %q %s; want %d %q %s", a.status, a.header.Get("Idempotent-Replayed"), a.body, status, replayed, code)
		}
	}
	for i, call := range []struct{ name, body string }{
		{"emit", `{"event":"e"}`}, {"emit/batch", `{"emits":[{"event":"e"}]}`}, {"join", `{"to":["x"]}`},
		{"leave", `{"to":["x"]}`}, {"disconnect", `{"rooms":["nowhere"]}`},
	} {
		key := fmt.Sprint("key-", i)
		first := with(call.name, call.body, key)
		check(first, 200, "", "")
		again := with(call.name, call.body, key)
		if check(again, 200, "true", ""); again.body != first.body {
			t.Errorf("%s: %s, then %s", call.name, first.body, again.body)
		}
		check(with(call.name, call.body+" ", key), 422, "", "idempotency_conflict")
		check(with("emit", `{"event":"e2","rooms":[]}`, key), 422, "", "idempotency_conflict")
		check(with(call.name, call.body, key, "Authorization", "Bearer second key"), 200, "", "") // another caller's
	}
	// Each of the two callers' emits has come once.
	c.expect(`42["e"]`, `42["e"]`, `42["e"]`, `42["e"]`)
	// Only what was done is kept.
	check(with("emit", `{"event":""}`, "bad"), 400, "", "bad_field")
	check(with("emit", `{"event":"ok","rooms":[]}`, "bad"), 200, "", "")
	// Other calls have no such keys.
	check(with("count", `{}`, "count"), 200, "", "")
	check(with("count", `{"rooms":[]}`, "count"), 200, "", "")
	for _, key := range []string{strings.Repeat("x", 255), "~!", "a"} {
		check(with("emit", `{"event":"k","rooms":[]}`, key), 200, "", "")
	}
	for _, key := range []string{strings.Repeat("x", 256), "", "a b", "é"} {
		if a := with("emit", `{"event":"k"}`, key); a.status != 400 || a.value["field"] != "Idempotency-Key" {
			t.Errorf("key %q: %s", key, a.body)
		}
	}
	n.want("emit", `{"event":"end"}`, 200, "")
	c.expect(`42["end"]`)
}

// A key whose request is under way is refused; the table forgets by age, and the oldest first when it is full.
func TestIdempotencyTable(t *testing.T) {
	now := time.Now()
	table := newIdempotency(3, 1<<20)
	key := func(s string) entryKey { return entryKey{key: s} }
	request := fingerprint("emit", []byte("{}"))
	begin := func(s string) (*entry, *problem.Problem) { return table.begin(key(s), request, now) }
	done := func(s string) {
		t.Helper()
		e, p := begin(s)
		if p != nil || e.done {
			t.Fatal(s, p)
		}
		table.finish(e, []byte(s))
		now = now.Add(time.Second)
	}
	kept := func(want string) {
		t.Helper()
		got := ""
		for at := table.order.Front(); at != nil; at = at.Next() {
			got += at.Value.(*entry).key.key
		}
		if got != want || len(table.entries) != len(want) {
			t.Errorf("%s is kept, want %s", got, want)
		}
	}
	a, _ := begin("a")
	if _, p := begin("a"); p == nil || p.Code != problem.IdempotencyInProgress || p.RetryAfter == 0 {
		t.Error(p)
	}
	if _, p := table.begin(key("a"), fingerprint("emit", []byte("{} ")), now); p == nil || p.Code != problem.IdempotencyConflict {
		t.Error(p)
	}
	if e, p := table.begin(entryKey{caller: [32]byte{1}, key: "a"}, request, now); p != nil || e == a {
		t.Error("the keys of two callers are one")
	} else {
		table.abandon(e)
	}
	done("b")
	done("c")
	done("d") // b makes room, as a is under way
	kept("acd")
	table.finish(a, []byte("a"))
	done("e")
	kept("cde")
	if e, _ := begin("c"); string(e.answer) != "c" {
		t.Error(e)
	}
	if _, p := table.begin(key("c"), fingerprint("join", []byte("{}")), now); p == nil || p.Code != problem.IdempotencyConflict {
		t.Error("another call has the same key")
	}
	now = now.Add(idempotencyLife)
	done("f")
	kept("f")
	table.abandon(table.entries[key("f")])
	kept("")
	if table.size != 0 {
		t.Errorf("%d bytes of nothing", table.size)
	}
	small := newIdempotency(1000, 10*(entryBytes+1)+500)
	for i := range 50 {
		e, _ := small.begin(key(fmt.Sprint(i%10)), fingerprint("emit", []byte(fmt.Sprint(i))), now)
		if e != nil && !e.done {
			small.finish(e, make([]byte, 100))
		}
	}
	if small.size > small.bytes || len(small.entries) == 0 {
		t.Errorf("%d bytes in %d entries", small.size, len(small.entries))
	}
}
