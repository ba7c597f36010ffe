package server

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// historyRig is a history with a clock of its own.
type historyRig struct {
	*history
	t     *testing.T
	clock time.Time
}

func newHistoryRig(t *testing.T, limits Recovery) *historyRig {
	r := &historyRig{t: t, clock: time.Unix(1e9, 0)}
	r.history = newHistory(limits, 1<<20, new(recoveryStats))
	r.now = func() time.Time { return r.clock }
	return r
}

// emit records an event and returns its offset.
func (r *historyRig) emit(text string, to audience) (offset string) {
	r.t.Helper()
	err := r.record(&to, func(o string) (*eio.Frame, error) {
		offset = o
		return eio.NewText([]byte(text)), nil
	}, func(*eio.Frame) error { return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return offset
}

// back is what a client gets that comes back; nil when it cannot.
func (r *historyRig) back(pid, after string) []string {
	entered := false
	a, frames := r.restore(pid, after, func(*awaySocket) { entered = true })
	if entered != (a != nil) {
		r.t.Errorf("entered %v", entered)
	}
	if a == nil {
		return nil
	}
	texts := []string{}
	for _, f := range frames {
		texts = append(texts, string(f.Payload()))
	}
	return texts
}

func TestOffsets(t *testing.T) {
	for _, n := range []uint64{0, 1, 255, 1 << 20, 1<<48 - 1} {
		text := offset(n)
		if got, ok := offsetOf(string(text[:])); !ok || got != n {
			t.Errorf("%d became %q and %d", n, text, got)
		}
	}
	for _, text := range []string{"", "AAAAAAA", "AAAAAAAAA", "AAAA\nAAA", "AAAA+AAA", "ééééé"} {
		if n, ok := offsetOf(text); ok {
			t.Errorf("%q is %d", text, n)
		}
	}
}

// N6: what a client missed is what was for it and came behind its last offset.
func TestHistoryMissed(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 10})
	first := r.emit("first", audience{})
	at := r.emit("had", audience{})
	r.emit("all", audience{})
	r.emit("mine", audience{rooms: []string{"id"}})
	r.emit("other", audience{rooms: []string{"other", "else"}})
	r.leave(&awaySocket{pid: "p", id: "id", rooms: []string{"a", "b"}})
	r.emit("room", audience{rooms: []string{"none", "b"}})
	r.emit("but me", audience{except: []string{"id"}})
	r.emit("but room", audience{rooms: []string{"a"}, except: []string{"b"}})
	last := r.emit("last", audience{except: []string{"c"}})
	if !r.awaits("p") || r.awaits("q") {
		t.Error("who is away is not known")
	}
	if got := r.back("q", at); got != nil {
		t.Errorf("a stranger got %q", got)
	}
	if got, want := r.back("p", at), []string{"all", "mine", "room", "last"}; !slices.Equal(got, want) {
		t.Errorf("%q instead of %q", got, want)
	}
	if got := r.back("p", at); got != nil {
		t.Errorf("twice: %q", got)
	}
	for _, c := range []struct {
		after string
		want  int
	}{{last, 0}, {first, 5}, {"", -1}, {"nonsense", -1}, {"AAAAAAAA", 6}, {"AAAAAAAK", -1}} {
		r.leave(&awaySocket{pid: "p", id: "id", rooms: []string{"a", "b"}})
		got := r.back("p", c.after)
		if len(got) != max(c.want, 0) || (got == nil) != (c.want < 0) {
			t.Errorf("after %q: %q", c.after, got)
		}
	}
}

// N6: all that is kept is bounded, by age, count and bytes.
func TestHistoryBounds(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 10, MaxBytes: 10_000, MaxSessions: 3})
	leave := func(pid string) { r.leave(&awaySocket{pid: pid, id: pid}) }
	var offsets []string
	for i := range 1000 {
		offsets = append(offsets, r.emit(fmt.Sprint(i), audience{}))
	}
	leave("p")
	if got := r.back("p", offsets[988]); got != nil {
		t.Errorf("it missed one that is not kept, and got %q", got)
	}
	leave("p")
	if got := r.back("p", offsets[989]); len(got) != 10 || got[0] != "990" {
		t.Errorf("got %q", got)
	}
	for range 5 {
		r.emit(string(make([]byte, 3000)), audience{})
	}
	if n := len(r.events) - r.head; n != 3 || r.bytes > 10_000 {
		t.Errorf("%d events with %d bytes are kept", n, r.bytes)
	}
	at := r.emit("x", audience{})
	for i := range 5 {
		leave(fmt.Sprint(i))
		r.clock = r.clock.Add(time.Second)
	}
	if r.awaits("1") || !r.awaits("2") || len(r.away) != 3 {
		t.Errorf("%d are away", len(r.away))
	}
	r.clock = r.clock.Add(56 * time.Second)
	if r.sweep(); r.back("2", at) == nil || len(r.leaving) == 0 {
		t.Error("it is too early to be forgotten")
	}
	r.clock = r.clock.Add(3 * time.Second)
	if r.awaits("3") || r.back("3", at) != nil || r.back("4", at) == nil {
		t.Error("it is away for too long")
	}
	r.clock = r.clock.Add(time.Hour)
	if r.sweep(); r.sweeper != nil || r.bytes != 0 || len(r.away) != 0 || len(r.events) != r.head || len(r.leaving) != 0 {
		t.Errorf("%d bytes, %d clients stay", r.bytes, len(r.away))
	}
	at = r.emit("y", audience{})
	leave("p")
	if got := r.back("p", at); got == nil {
		t.Error("offsets do not go on after a sweep")
	}
	leave("p")
	r.close()
	r.emit("z", audience{})
	leave("q")
	if r.back("p", at) != nil || r.back("q", at) != nil || len(r.events)+len(r.away)+len(r.leaving) != 0 {
		t.Error("a closed one keeps something")
	}
}

// An event that could not be encoded, or sent, has no offset and is not kept.
func TestHistoryFailure(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 10, MaxBytes: 1000, MaxSessions: 3})
	at := r.emit("x", audience{})
	failed := errors.New("no")
	frame := func(string) (*eio.Frame, error) { return eio.NewText([]byte("lost")), nil }
	if err := r.record(&audience{}, frame, func(*eio.Frame) error { return failed }); err != failed {
		t.Error(err)
	}
	if err := r.record(&audience{}, func(string) (*eio.Frame, error) { return nil, failed }, nil); err != failed {
		t.Error(err)
	}
	r.emit("y", audience{})
	r.leave(&awaySocket{pid: "p", id: "id"})
	if got := r.back("p", at); !slices.Equal(got, []string{"y"}) {
		t.Errorf("got %q", got)
	}
}

// A client that missed more than it may be sent at once is a new one.
func TestHistoryReplayIsBounded(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 1000, MaxBytes: 10 << 20, MaxSessions: 3})
	at := r.emit("x", audience{})
	for range 5 {
		r.emit(string(make([]byte, 100_000)), audience{})
	}
	r.leave(&awaySocket{pid: "p", id: "id"})
	if got := r.back("p", at); len(got) != 5 {
		t.Errorf("got %d", len(got))
	}
	r.emit(string(make([]byte, 100_000)), audience{})
	r.leave(&awaySocket{pid: "p", id: "id"})
	if got := r.back("p", at); got != nil {
		t.Errorf("got %d", len(got))
	}
}

// N6: the names of the rooms that an event was for count for MaxBytes: they may be many times its size.
func TestHistoryCountsNames(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 1000, MaxBytes: 100_000, MaxSessions: 3})
	rooms := make([]string, 100)
	for i := range rooms {
		rooms[i] = fmt.Sprintf("%0100d", i)
	}
	for range 50 {
		r.emit("x", audience{rooms: rooms[:50], except: rooms[50:]})
	}
	if n := len(r.events) - r.head; n < 5 || n > 10 || r.bytes > 100_000 {
		t.Errorf("%d events with 10 KB of names each, counted as %d bytes", n, r.bytes)
	}
	for n := len(r.events) - r.head; n > 0; n-- {
		r.forgetFirst()
	}
	if r.bytes != 0 {
		t.Errorf("%d bytes of nothing", r.bytes)
	}
}
