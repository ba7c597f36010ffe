package limit

import (
	"testing"
	"time"
)

// An event needs a token of its own and tokens for the bytes of all its messages; other packets take only bytes.
func TestFlow(t *testing.T) {
	r := &Rates{Events: 2, Bytes: 100, Excess: 5 * time.Second}
	type packet struct {
		messages []int
		event    bool
		want     Kind
	}
	for name, packets := range map[string][]packet{
		"events":            {{[]int{1}, true, None}, {[]int{1}, true, None}, {[]int{1}, true, Events}},
		"bytes":             {{[]int{100}, true, None}, {[]int{1}, true, Bytes}},
		"attachments":       {{[]int{10, 50, 40}, true, None}, {[]int{1}, true, Bytes}},
		"one attachment":    {{[]int{10, 91, 1}, true, Bytes}, {[]int{1}, true, None}},
		"other packets":     {{[]int{1}, false, None}, {[]int{1}, false, None}, {[]int{1}, false, None}, {[]int{1}, true, None}},
		"other, too long":   {{[]int{101}, false, None}, {[]int{1}, true, None}},
		"longer than it is": {{[]int{101}, true, Bytes}, {[]int{100}, true, None}},
	} {
		var f Flow
		for i, p := range packets {
			for _, n := range p.messages {
				f.Receive(second, n, r)
			}
			if got := f.Admit(second, p.event, r); got != p.want {
				t.Errorf("%s: packet %d: %v, not %v", name, i, got, p.want)
			}
		}
	}
}

// An excess lasts until a second has passed without one. It is over at once when the client stops.
func TestExceeded(t *testing.T) {
	r := &Rates{Events: 1, Excess: 5 * time.Second}
	for name, c := range map[string]struct {
		pause time.Duration // between events
		lasts time.Duration
		want  bool
	}{
		"a flood":              {time.Millisecond, 7 * time.Second, true},
		"too short":            {time.Millisecond, 4900 * time.Millisecond, false},
		"a burst":              {0, 0, false},
		"as fast as it may":    {time.Second, time.Hour, false},
		"a little more":        {900 * time.Millisecond, time.Hour, false},
		"one in excess, often": {500 * time.Millisecond, 7 * time.Second, true},
		"a pause of 2 s":       {2 * time.Second, time.Hour, false},
	} {
		var f Flow
		got := false
		send := func(now time.Duration) {
			f.Receive(int64(now), 1, r)
			f.Admit(int64(now), true, r)
			got = got || f.Exceeded(int64(now), r)
		}
		if c.pause == 0 {
			for range 1000 {
				send(time.Minute)
			}
		} else {
			for now := time.Minute; now <= time.Minute+c.lasts; now += c.pause {
				send(now)
			}
		}
		if got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A flow allocates nothing for an event, within the limits or not.
func TestFlowAllocations(t *testing.T) {
	r := &Rates{Events: 10, Bytes: 1000, Excess: time.Hour}
	f, now := new(Flow), second
	if n := testing.AllocsPerRun(1000, func() {
		now += second / 100
		f.Receive(now, 5, r)
		f.Admit(now, true, r)
		f.Exceeded(now, r)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
