package history

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// historyRig is a history with a clock of its own, whose offsets begin at 1. Its heartbeat is 20 s.
type historyRig struct {
	*History
	t     *testing.T
	clock time.Duration
	// taken are the ids that are away.
	taken map[string]bool
}

func newHistoryRig(t *testing.T, limits Limits) *historyRig {
	r := &historyRig{t: t, clock: time.Hour, taken: map[string]bool{}}
	limits.Heartbeat, limits.MaxReplay = 20*time.Second, 512<<10
	r.History = New(limits, new(Stats), func(id string) {
		if !r.taken[id] {
			t.Errorf("the id %s was given up twice", id)
		}
		delete(r.taken, id)
	})
	r.Now = func() time.Duration { return r.clock }
	r.first = 1
	return r
}

// pid returns a private id.
func pid(name string) PrivateID { return PrivateID(name) }

// away lets a client go.
func (r *historyRig) depart(a Away) {
	r.Leave(func(time.Duration) *Away {
		r.taken[a.ID] = true
		return &a
	})
}

// emit records an event and returns its offset.
func (r *historyRig) emit(text string, to Audience) (offset string) {
	r.t.Helper()
	err := r.Record(&to, func(o string) (*eio.Frame, error) {
		offset = o
		return eio.NewText([]byte(text)), nil
	}, func(*eio.Frame) error { return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return offset
}

// back returns what a client gets that comes back; nil when it cannot.
func (r *historyRig) back(name, after string) []string {
	var texts []string
	back := r.Restore(string(pid(name)), after, func(a *Away, missed []*eio.Frame) bool {
		texts = []string{}
		for _, f := range missed {
			texts = append(texts, string(f.Payload()))
		}
		delete(r.taken, a.ID)
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
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 10})
	first := r.emit("first", Audience{})
	at := r.emit("had", Audience{})
	r.emit("all", Audience{})
	r.emit("mine", Audience{Rooms: []string{"id"}})
	r.emit("other", Audience{Rooms: []string{"other", "else"}})
	r.depart(Away{PID: pid("p"), ID: "id", Rooms: []string{"a", "b"}})
	r.emit("room", Audience{Rooms: []string{"none", "b"}})
	r.emit("but me", Audience{Except: []string{"id"}})
	r.emit("but room", Audience{Rooms: []string{"a"}, Except: []string{"b"}})
	last := r.emit("last", Audience{Except: []string{"c"}})
	if !r.Awaits(pid("p")) || r.Awaits(pid("q")) {
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
		r.depart(Away{PID: pid("p"), ID: "id", Rooms: []string{"a", "b"}})
		got := r.back("p", c.after)
		if len(got) != max(c.want, 0) || (got == nil) != (c.want < 0) {
			t.Errorf("after %q: %q", c.after, got)
		}
	}
	if r.back("p\n", at) != nil || r.Restore("", at, nil) || len(r.taken) != 0 {
		t.Errorf("%v are away", r.taken)
	}
}

// A client that was sent nothing since its CONNECT comes back without an offset, or with one of another life: all that
// was emitted since is what it missed.
func TestHistoryWithoutOffset(t *testing.T) {
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 10})
	before := r.emit("before", Audience{})
	var base Base
	r.Enter(func(n Base, _ time.Duration) bool { base = n; return true })
	r.emit("one", Audience{})
	r.emit("other", Audience{Rooms: []string{"other"}})
	r.emit("two", Audience{})
	beyond := offset(r.next() + 5)
	for _, after := range []string{"", before, "AAAAAAAA", string(beyond[:])} {
		r.depart(Away{PID: pid("p"), ID: "id", Base: base})
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
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 10})
	volatile := func() (offset string) {
		_ = r.Record(nil, func(o string) (*eio.Frame, error) {
			offset = o
			return eio.NewText([]byte("volatile")), nil
		}, func(*eio.Frame) error { return nil })
		return offset
	}
	r.depart(Away{PID: pid("p"), ID: "id"})
	if got := r.back("p", volatile()); got == nil || len(got) > 0 {
		t.Errorf("before the first event: %q", got)
	}
	at := r.emit("kept", Audience{})
	if got := volatile(); got != at {
		t.Errorf("offset %q behind %q", got, at)
	}
	r.emit("missed", Audience{})
	r.depart(Away{PID: pid("p"), ID: "id"})
	if got := r.back("p", at); !slices.Equal(got, []string{"missed"}) {
		t.Errorf("got %q", got)
	}
}

// What has arrived, or was emitted before the client was in the room, is not sent again to a client that was quiet.
func TestHistoryOwed(t *testing.T) {
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Hour, MaxPackets: 1000, MaxBytes: 1 << 20, MaxSessions: 10})
	last := r.emit("last", Audience{})
	r.clock += time.Minute
	r.emit("before it joined", Audience{Rooms: []string{"room"}})
	r.clock += time.Minute
	at := r.clock
	r.emit("perhaps", Audience{Rooms: []string{"room"}})
	r.clock += 20 * time.Second
	for _, test := range []struct {
		arrived time.Duration
		want    []string
	}{{at + 1, []string{}}, {at, []string{"perhaps"}}, {0, []string{"before it joined", "perhaps"}}} {
		r.depart(Away{PID: pid("p"), ID: "id", Rooms: []string{"room"}, Arrived: test.arrived})
		if got := r.back("p", last); !slices.Equal(got, test.want) {
			t.Errorf("got %q instead of %q", got, test.want)
		}
	}
}

// All that is kept is bounded, by age, count and bytes.
func TestHistoryBounds(t *testing.T) {
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 10, MaxBytes: 10_000, MaxSessions: 3})
	leave := func(name string) { r.depart(Away{PID: pid(name), ID: name}) }
	var offsets []string
	for i := range 1000 {
		offsets = append(offsets, r.emit(fmt.Sprint(i), Audience{}))
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
		r.emit(string(make([]byte, 3000)), Audience{})
	}
	if n := len(r.events) - r.head; n != 3 || r.bytes > 10_000 {
		t.Errorf("%d events with %d bytes are kept", n, r.bytes)
	}
	at := r.emit("x", Audience{})
	for i := range 5 {
		leave(fmt.Sprint(i))
		r.clock += time.Second
	}
	if r.Awaits(pid("1")) || !r.Awaits(pid("2")) || len(r.History.away) != 3 || len(r.taken) != 3 {
		t.Errorf("%d are away, %d ids are taken", len(r.History.away), len(r.taken))
	}
	r.clock += 56 * time.Second
	if r.sweep(); r.back("2", at) == nil || r.leaving.Len() == 0 {
		t.Error("it is too early to be forgotten")
	}
	r.clock += 3 * time.Second
	if r.Awaits(pid("3")) || r.back("3", at) != nil || r.back("4", at) == nil {
		t.Error("it is away for too long")
	}
	r.clock += time.Hour
	if r.sweep(); r.sweeper != nil || r.bytes != 0 || len(r.events) != r.head || len(r.History.away)+r.leaving.Len()+len(r.taken) != 0 {
		t.Errorf("%d bytes, %d clients stay", r.bytes, len(r.History.away))
	}
	at = r.emit("y", Audience{})
	leave("p")
	if got := r.back("p", at); got == nil {
		t.Error("offsets do not go on after a sweep")
	}
	leave("p")
	r.Close()
	r.emit("z", Audience{})
	leave("q")
	if r.back("p", at) != nil || r.back("q", at) != nil || len(r.events)+len(r.History.away)+r.leaving.Len()+len(r.taken) != 0 {
		t.Error("a closed one keeps something")
	}
}

// MaxSessions counts the clients that are away, not how often they left. The one that is away for longest goes,
// whatever it did before; one that has come back in the meantime and is connected is not concerned.
func TestHistoryCountsThoseAway(t *testing.T) {
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 100, MaxBytes: 1 << 20, MaxSessions: 3})
	at := r.emit("x", Audience{})
	leave := func(name string) { r.clock += time.Second; r.depart(Away{PID: pid(name), ID: name}) }
	leave("first")
	for range 20 {
		leave("restless")
		if r.back("restless", at) == nil {
			t.Fatal("it did not come back")
		}
	}
	leave("second")
	leave("restless") // the latest now
	if !r.Awaits(pid("first")) {
		t.Error("it was evicted with three away")
	}
	leave("third")
	for name, want := range map[string]bool{"first": false, "second": true, "restless": true, "third": true} {
		if r.Awaits(pid(name)) != want || r.taken[name] != want {
			t.Errorf("%s is away: %v, its id is taken: %v", name, r.Awaits(pid(name)), r.taken[name])
		}
	}
}

// An event that is not kept any more counts as arrived if a ping that was answered came behind it; the client's own
// offset may be much older.
func TestHistoryQuietClients(t *testing.T) {
	base := Limits{MaxDisconnection: 3 * time.Second, MaxPackets: 1000, MaxBytes: 1 << 20, MaxSessions: 10}
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
			limits := base
			if test.limit > 0 {
				limits.MaxPackets = test.limit
			}
			r := newHistoryRig(t, limits)
			last := r.emit("rare", Audience{Rooms: []string{"rare"}})
			for end := r.clock + test.quiet; r.clock < end; r.clock += 100 * time.Millisecond {
				r.emit("busy", Audience{Rooms: []string{"busy"}})
			}
			r.depart(Away{PID: pid("p"), ID: "id", Rooms: []string{"rare"}, Arrived: r.clock - test.proof})
			r.emit("missed", Audience{Rooms: []string{"rare"}})
			for end := r.clock + test.gone; r.clock < end; r.clock += 100 * time.Millisecond {
				r.emit("busy", Audience{Rooms: []string{"busy"}})
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
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 10, MaxBytes: 1000, MaxSessions: 3})
	at := r.emit("x", Audience{})
	failed := errors.New("no")
	frame := func(string) (*eio.Frame, error) { return eio.NewText([]byte("lost")), nil }
	if err := r.Record(&Audience{}, frame, func(*eio.Frame) error { return failed }); err != failed {
		t.Error(err)
	}
	if err := r.Record(&Audience{}, func(string) (*eio.Frame, error) { return nil, failed }, nil); err != failed {
		t.Error(err)
	}
	r.emit("y", Audience{})
	r.depart(Away{PID: pid("p"), ID: "id"})
	if got := r.back("p", at); !slices.Equal(got, []string{"y"}) {
		t.Errorf("got %q", got)
	}
}

// A client that missed more than it may be sent at once is a new one.
func TestHistoryReplayIsBounded(t *testing.T) {
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 1000, MaxBytes: 10 << 20, MaxSessions: 3})
	at := r.emit("x", Audience{})
	for range 5 {
		r.emit(string(make([]byte, 100_000)), Audience{})
	}
	r.depart(Away{PID: pid("p"), ID: "id"})
	if got := r.back("p", at); len(got) != 5 {
		t.Errorf("got %d", len(got))
	}
	r.emit(string(make([]byte, 100_000)), Audience{})
	r.depart(Away{PID: pid("p"), ID: "id"})
	if got := r.back("p", at); got != nil {
		t.Errorf("got %d", len(got))
	}
}

// The names of the rooms that an event was for count for MaxBytes: they may be many times its size.
func TestHistoryCountsNames(t *testing.T) {
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 1000, MaxBytes: 100_000, MaxSessions: 3})
	rooms := make([]string, 100)
	for i := range rooms {
		rooms[i] = fmt.Sprintf("%0100d", i)
	}
	for range 50 {
		r.emit("x", Audience{Rooms: rooms[:50], Except: rooms[50:]})
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

// What a busy time needed is given up when nothing is left of it.
func TestHistoryShrinks(t *testing.T) {
	r := newHistoryRig(t, Limits{MaxDisconnection: time.Minute, MaxPackets: 1000, MaxBytes: 1 << 20, MaxSessions: 100})
	var last string
	for i := range 500 {
		last = r.emit("x", Audience{})
		r.depart(Away{PID: pid(fmt.Sprint(i)), ID: fmt.Sprint(i)})
	}
	r.sweep()
	if len(r.events) == 0 || len(r.History.away) == 0 {
		t.Fatal("forgotten before the time")
	}
	r.clock += 2 * time.Minute
	r.sweep()
	if cap(r.events)+r.leaving.Len()+len(r.History.away) != 0 || r.bytes != 0 {
		t.Errorf("%d, %d, %d places and %d bytes are kept", cap(r.events), r.leaving.Len(), len(r.History.away), r.bytes)
	}
	r.depart(Away{PID: pid("p"), ID: "p"})
	next := r.emit("y", Audience{})
	if got := r.back("p", last); len(got) != 1 || next <= last {
		t.Errorf("%q after %s, %s", got, last, next)
	}
	r.Close()
}

// A history that keeps its sockets for ever does not look for those that it might forget again and again.
func TestRecoveryForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHistoryRig(t, Limits{MaxDisconnection: math.MaxInt64, MaxPackets: 10, MaxBytes: 1 << 20, MaxSessions: 10})
		looks, start := 0, time.Now()
		h.Now = func() time.Duration {
			if looks++; looks > 1000 {
				h.limits.MaxDisconnection = time.Hour // or the bubble's time would stand still
			}
			return time.Since(start)
		}
		h.depart(Away{PID: pid("p"), ID: "id"})
		time.Sleep(100 * 365 * 24 * time.Hour)
		h.mu.Lock()
		if !h.Awaits(pid("p")) || looks > 10 {
			t.Errorf("after %d looks: %v", looks, h.History.away)
		}
		h.mu.Unlock()
		h.Close()
	})
}
