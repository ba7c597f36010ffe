package server

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// historyRig is a history with a clock of its own, whose offsets begin at 1. Its heartbeat is 20 s.
type historyRig struct {
	*history
	t     *testing.T
	clock time.Duration
	// taken are the ids that are away.
	taken map[string]bool
}

func newHistoryRig(t *testing.T, limits Recovery) *historyRig {
	r := &historyRig{t: t, clock: time.Hour, taken: map[string]bool{}}
	cfg := &Config{Recovery: limits, Queue: Queue{MaxBytes: 1 << 20}, PingInterval: 10 * time.Second, PingTimeout: 5 * time.Second}
	r.history = newHistory(cfg, new(recoveryStats), func(id string) {
		if !r.taken[id] {
			t.Errorf("the id %s was given up twice", id)
		}
		delete(r.taken, id)
	})
	r.now = func() time.Duration { return r.clock }
	r.first = 1
	return r
}

// pid is a private id.
func pid(name string) (p privateID) {
	copy(p[:], name)
	return p
}

// away lets a client go.
func (r *historyRig) depart(a awaySocket) {
	r.leave(func(time.Duration) *awaySocket {
		r.taken[a.id] = true
		return &a
	})
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
func (r *historyRig) back(name, after string) []string {
	var texts []string
	back := r.restore(pid(name).String(), after, func(a *awaySocket, missed []*eio.Frame) bool {
		texts = []string{}
		for _, f := range missed {
			texts = append(texts, string(f.Payload()))
		}
		delete(r.taken, a.id)
		return true
	})
	if back != (texts != nil) {
		r.t.Errorf("entered %v, back %v", texts, back)
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

// What a client missed is what was for it and came behind its last offset.
func TestHistoryMissed(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 10})
	first := r.emit("first", audience{})
	at := r.emit("had", audience{})
	r.emit("all", audience{})
	r.emit("mine", audience{rooms: []string{"id"}})
	r.emit("other", audience{rooms: []string{"other", "else"}})
	r.depart(awaySocket{pid: pid("p"), id: "id", rooms: []string{"a", "b"}})
	r.emit("room", audience{rooms: []string{"none", "b"}})
	r.emit("but me", audience{except: []string{"id"}})
	r.emit("but room", audience{rooms: []string{"a"}, except: []string{"b"}})
	last := r.emit("last", audience{except: []string{"c"}})
	if !r.awaits(pid("p")) || r.awaits(pid("q")) {
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
	}{{last, 0}, {first, 5}, {"nonsens!", -1}, {"AAAAAAA", -1}} {
		r.depart(awaySocket{pid: pid("p"), id: "id", rooms: []string{"a", "b"}})
		got := r.back("p", c.after)
		if len(got) != max(c.want, 0) || (got == nil) != (c.want < 0) {
			t.Errorf("after %q: %q", c.after, got)
		}
	}
	if r.back("p\n", at) != nil || r.restore("", at, nil) || len(r.taken) != 0 {
		t.Errorf("%v are away", r.taken)
	}
}

// A client that was sent nothing since its CONNECT comes back without an offset, or with one of another life: all that
// was emitted since is what it missed.
func TestHistoryWithoutOffset(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 10})
	before := r.emit("before", audience{})
	var base uint64
	r.enter(func(n uint64, _ time.Duration) bool { base = n; return true })
	r.emit("one", audience{})
	r.emit("other", audience{rooms: []string{"other"}})
	r.emit("two", audience{})
	beyond := offset(r.next() + 5)
	for _, after := range []string{"", before, "AAAAAAAA", string(beyond[:])} {
		r.depart(awaySocket{pid: pid("p"), id: "id", base: base})
		if got, want := r.back("p", after), []string{"one", "two"}; !slices.Equal(got, want) {
			t.Errorf("after %q: %q instead of %q", after, got, want)
		}
	}
}

// Histories give offsets that cannot be taken for each other's.
func TestHistoriesDiffer(t *testing.T) {
	for range 100 {
		if a, b := firstOffset(), firstOffset(); a-b < 1<<20 || b-a < 1<<20 || a == 0 || a >= 1<<47+1 {
			t.Fatal(a, b)
		}
	}
}

// Events that are not kept have the offset of the latest one that is.
func TestHistoryVolatile(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 10})
	volatile := func() (offset string) {
		_ = r.record(nil, func(o string) (*eio.Frame, error) {
			offset = o
			return eio.NewText([]byte("volatile")), nil
		}, func(*eio.Frame) error { return nil })
		return offset
	}
	r.depart(awaySocket{pid: pid("p"), id: "id"})
	if got := r.back("p", volatile()); got == nil || len(got) > 0 {
		t.Errorf("before the first event: %q", got)
	}
	at := r.emit("kept", audience{})
	if got := volatile(); got != at {
		t.Errorf("offset %q behind %q", got, at)
	}
	r.emit("missed", audience{})
	r.depart(awaySocket{pid: pid("p"), id: "id"})
	if got := r.back("p", at); !slices.Equal(got, []string{"missed"}) {
		t.Errorf("got %q", got)
	}
}

// What has arrived, or was emitted before the client was in the room, is not sent again to a client that was quiet.
func TestHistoryOwed(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Hour, MaxPackets: 1000, MaxBytes: 1 << 20, MaxSessions: 10})
	last := r.emit("last", audience{})
	r.clock += time.Minute
	r.emit("before it joined", audience{rooms: []string{"room"}})
	r.clock += time.Minute
	at := r.clock
	r.emit("perhaps", audience{rooms: []string{"room"}})
	r.clock += 20 * time.Second
	for _, test := range []struct {
		arrived time.Duration
		want    []string
	}{{at + 1, []string{}}, {at, []string{"perhaps"}}, {0, []string{"before it joined", "perhaps"}}} {
		r.depart(awaySocket{pid: pid("p"), id: "id", rooms: []string{"room"}, arrived: test.arrived})
		if got := r.back("p", last); !slices.Equal(got, test.want) {
			t.Errorf("got %q instead of %q", got, test.want)
		}
	}
}

// All that is kept is bounded, by age, count and bytes.
func TestHistoryBounds(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 10, MaxBytes: 10_000, MaxSessions: 3})
	leave := func(name string) { r.depart(awaySocket{pid: pid(name), id: name}) }
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
		r.clock += time.Second
	}
	if r.awaits(pid("1")) || !r.awaits(pid("2")) || len(r.history.away) != 3 || len(r.taken) != 3 {
		t.Errorf("%d are away, %d ids are taken", len(r.history.away), len(r.taken))
	}
	r.clock += 56 * time.Second
	if r.sweep(); r.back("2", at) == nil || r.leaving.Len() == 0 {
		t.Error("it is too early to be forgotten")
	}
	r.clock += 3 * time.Second
	if r.awaits(pid("3")) || r.back("3", at) != nil || r.back("4", at) == nil {
		t.Error("it is away for too long")
	}
	r.clock += time.Hour
	if r.sweep(); r.sweeper != nil || r.bytes != 0 || len(r.events) != r.head || len(r.history.away)+r.leaving.Len()+len(r.taken) != 0 {
		t.Errorf("%d bytes, %d clients stay", r.bytes, len(r.history.away))
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
	if r.back("p", at) != nil || r.back("q", at) != nil || len(r.events)+len(r.history.away)+r.leaving.Len()+len(r.taken) != 0 {
		t.Error("a closed one keeps something")
	}
}

// MaxSessions counts the clients that are away, not how often they left. The one that is away for longest goes, whatever
// it did before; one that has come back in the meantime and is connected is not concerned.
func TestHistoryCountsThoseAway(t *testing.T) {
	r := newHistoryRig(t, Recovery{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 3})
	at := r.emit("x", audience{})
	leave := func(name string) { r.clock += time.Second; r.depart(awaySocket{pid: pid(name), id: name}) }
	leave("first")
	for range 20 {
		leave("restless")
		if r.back("restless", at) == nil {
			t.Fatal("it did not come back")
		}
	}
	leave("second")
	leave("restless") // the latest now
	if !r.awaits(pid("first")) {
		t.Error("it was evicted with three away")
	}
	leave("third")
	for name, want := range map[string]bool{"first": false, "second": true, "restless": true, "third": true} {
		if r.awaits(pid(name)) != want || r.taken[name] != want {
			t.Errorf("%s is away: %v, its id is taken: %v", name, r.awaits(pid(name)), r.taken[name])
		}
	}
}

// An event that is not kept any more counts as arrived if a ping that was answered came behind it; the client's own offset
// may be much older.
func TestHistoryQuietClients(t *testing.T) {
	limits := Recovery{MaxDisconnection: 3 * time.Second, MaxPackets: 1000, MaxBytes: 1 << 20, MaxSessions: 10}
	const heartbeat = 20 * time.Second // of the rig
	for name, test := range map[string]struct {
		quiet time.Duration // how long before its end the client got its last event
		proof time.Duration // how long before its end all had arrived
		gone  time.Duration
		limit int // of packets
		back  bool
	}{
		"quiet for long":                            {quiet: time.Hour, proof: heartbeat, gone: time.Second, back: true},
		"quiet for long, and away for too long":     {quiet: time.Hour, proof: heartbeat, gone: 4 * time.Second},
		"never quiet":                               {quiet: 0, proof: heartbeat, gone: time.Second, back: true},
		"quiet, and all is kept":                    {quiet: time.Second, proof: time.Hour, gone: time.Second, back: true},
		"too much was emitted for what is kept":     {quiet: 10 * time.Second, proof: heartbeat, gone: time.Second, limit: 50},
		"much was emitted, but before the proof":    {quiet: time.Hour, proof: time.Second, gone: time.Second, limit: 50, back: true},
		"no proof that what is gone has arrived":    {quiet: time.Hour, proof: 50 * time.Minute, gone: time.Second},
		"one heartbeat, as long as events are kept": {quiet: heartbeat, proof: heartbeat, gone: time.Second, back: true},
	} {
		t.Run(name, func(t *testing.T) {
			limits := limits
			if test.limit > 0 {
				limits.MaxPackets = test.limit
			}
			r := newHistoryRig(t, limits)
			last := r.emit("rare", audience{rooms: []string{"rare"}})
			for end := r.clock + test.quiet; r.clock < end; r.clock += 100 * time.Millisecond {
				r.emit("busy", audience{rooms: []string{"busy"}})
			}
			r.depart(awaySocket{pid: pid("p"), id: "id", rooms: []string{"rare"}, arrived: r.clock - test.proof})
			r.emit("missed", audience{rooms: []string{"rare"}})
			for end := r.clock + test.gone; r.clock < end; r.clock += 100 * time.Millisecond {
				r.emit("busy", audience{rooms: []string{"busy"}})
			}
			got := r.back("p", last)
			if test.back != slices.Equal(got, []string{"missed"}) || !test.back && got != nil {
				t.Errorf("got %q", got)
			}
		})
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
	r.depart(awaySocket{pid: pid("p"), id: "id"})
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
	r.depart(awaySocket{pid: pid("p"), id: "id"})
	if got := r.back("p", at); len(got) != 5 {
		t.Errorf("got %d", len(got))
	}
	r.emit(string(make([]byte, 100_000)), audience{})
	r.depart(awaySocket{pid: pid("p"), id: "id"})
	if got := r.back("p", at); got != nil {
		t.Errorf("got %d", len(got))
	}
}

// The names of the rooms that an event was for count for MaxBytes: they may be many times its size.
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
