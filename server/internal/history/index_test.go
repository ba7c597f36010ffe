package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// meant reports whether an event was for a socket, by a look at all names. The index must find the same.
func meant(to *Audience, rooms []string, user string) bool {
	in := func(name string) bool { return slices.Contains(rooms, name) }
	for _, name := range to.Except {
		if in(name) {
			return false
		}
	}
	return len(to.Rooms)+len(to.Users) == 0 || slices.ContainsFunc(to.Rooms, in) ||
		user != "" && slices.Contains(to.Users, user)
}

// The index finds the events of a socket, in their order, as a look at all events does: while events come and go, for
// events with many names, or with the same name twice.
func TestIndexFindsWhatWasMissed(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	names := func(prefix string, most int) (list []string) {
		for range random.IntN(most + 1) {
			list = append(list, fmt.Sprint(prefix, random.IntN(6)))
		}
		return list
	}
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 150, MaxBytes: 1 << 20, MaxSessions: 3})
	r.replayMax = 1 << 30
	found := 0
	for step := range 4000 {
		to := Audience{Except: names("r", 2)}
		if random.IntN(4) > 0 {
			to.Rooms, to.Users = names("r", 4), names("u", 2)
		}
		r.emit(fmt.Sprint(step), to)
		switch random.IntN(40) {
		case 0:
			r.clock += time.Minute
		case 1:
			r.clock += time.Hour
			r.sweep()
		}
		a := &Away{ID: fmt.Sprint("r", random.IntN(6)), Rooms: names("r", 3)}
		if random.IntN(2) > 0 {
			a.User = fmt.Sprint("u", random.IntN(6))
		}
		from := r.first + uint64(random.IntN(r.kept()+1))
		var want, got []string
		for offset := from; offset < r.next(); offset++ {
			if e := r.event(offset); meant(e.to, append([]string{a.ID}, a.Rooms...), a.User) {
				want = append(want, string(e.frame.Payload()))
			}
		}
		frames, ok := r.replay(a, from)
		for _, f := range frames {
			got = append(got, string(f.Payload()))
		}
		if !ok || !slices.Equal(got, want) {
			t.Fatalf("step %d, %+v from %d of %d to %d: %q, want %q", step, a, from, r.first, r.next(), got, want)
		}
		found += len(got)
	}
	if found < 4000 {
		t.Errorf("only %d events were found at all", found)
	}
	r.clock += 2 * time.Hour
	for range 3 {
		r.sweep()
	}
	if x := &r.index; len(x.rooms)+len(x.users)+len(x.except) > 0 || x.all != (place{}) || x.marked != nil {
		t.Errorf("the index of nothing has %+v", x)
	}
}

// A burst that has become too old is forgotten in steps, because those who emit wait meanwhile.
func TestHistoryForgetsInSteps(t *testing.T) {
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 10_000, MaxBytes: 1 << 30, MaxSessions: 10_000})
	for i := range 2 * expireMax {
		r.emit("x", Audience{})
		r.depart(Away{PID: pid(fmt.Sprint(i)), ID: fmt.Sprint(i)})
	}
	r.clock += time.Hour
	r.emit("y", Audience{})
	if n, m := r.kept(), r.leaving.Len(); n != expireMax+1 || m != expireMax {
		t.Errorf("%d events and %d sockets are left", n, m)
	}
	if got := r.back(fmt.Sprint(2*expireMax-1), ""); got != nil {
		t.Error("a socket came back too late")
	}
	for range 2 {
		r.sweep()
	}
	if n, m := r.kept(), r.leaving.Len(); n != 1 || m != 0 {
		t.Errorf("%d events and %d sockets are left at the end", n, m)
	}
	r.Close()
}

// BenchmarkReplay is the return of a client that missed little of 100,000 events, or nothing but what it sent itself.
func BenchmarkReplay(b *testing.B) {
	const events = 100_000
	for _, c := range []struct {
		name string
		to   func(i int) *Audience
	}{
		{"others", func(i int) *Audience { return &Audience{Rooms: []string{fmt.Sprint(i % 1000)}} }},
		{"own", func(int) *Audience { return &Audience{Rooms: []string{"7"}, Except: []string{"id"}} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := New(Limits{MaxDisconnection: time.Hour, MaxPackets: events, MaxBytes: 1 << 30, MaxSessions: 1, MaxReplay: 2 << 20},
				new(Stats), func(string) {})
			defer h.Close()
			f := eio.NewText([]byte("x"))
			for i := range events {
				_ = h.Record(c.to(i), func(string) (*eio.Frame, error) { return f, nil }, func(*eio.Frame) error { return nil })
			}
			a := &Away{ID: "id", Rooms: []string{"7", "none"}, User: "u"}
			b.ReportAllocs()
			for b.Loop() {
				h.mu.Lock()
				_, _ = h.replay(a, h.first)
				h.mu.Unlock()
			}
		})
	}
}

// BenchmarkRecord is the storing of an event for a room, beside what its encoding and posting take.
func BenchmarkRecord(b *testing.B) {
	h := New(Limits{MaxDisconnection: time.Hour, MaxPackets: 10_000, MaxBytes: 1 << 30, MaxSessions: 1, MaxReplay: 1},
		new(Stats), func(string) {})
	defer h.Close()
	f, to := eio.NewText([]byte("x")), &Audience{Rooms: []string{"room"}}
	b.ReportAllocs()
	for b.Loop() {
		_ = h.Record(to, func(string) (*eio.Frame, error) { return f, nil }, func(*eio.Frame) error { return nil })
	}
}
