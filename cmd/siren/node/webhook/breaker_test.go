package webhook

import (
	"strings"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	for _, c := range []struct {
		name, results string // + is a success, - a failure
		open          bool
	}{
		{"nothing", "", false},
		{"nine in a row", "---------", false},
		{"ten in a row", "----------", true},
		{"ten in a row behind a success", "+----------", true},
		{"half of nineteen", strings.Repeat("-+", 9) + "-", false},
		{"half of twenty", strings.Repeat("-+", 9) + "+-", true},
		{"half of twenty, the success last", strings.Repeat("-+", 10), false},
		{"nine of twenty", strings.Repeat("-+", 9) + "++", false},
		{"old failures", strings.Repeat("-", 9) + strings.Repeat("+", 20) + strings.Repeat("-", 9), false},
		{"half of the latest", strings.Repeat("+", 100) + strings.Repeat("--+", 4) + "--", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			b := breaker{openFor: 5 * time.Second}
			for i, r := range c.results {
				if !b.admits(now) {
					t.Fatalf("open before result %d", i)
				}
				h := new(hook)
				b.begins(h)
				if changed := b.ends(h, r == '+', now); changed != b.open() {
					t.Fatalf("result %d: changed %v, open %v", i, changed, b.open())
				}
			}
			if b.open() != c.open {
				t.Errorf("open %v", b.open())
			}
		})
	}
}

func TestBreakerHalfOpen(t *testing.T) {
	now := time.Unix(1000, 0)
	b := breaker{openFor: 5 * time.Second}
	early, probe := new(hook), new(hook)
	for range breakerRow {
		b.ends(early, false, now)
	}
	if b.admits(now) || b.admits(now.Add(5*time.Second-1)) || b.opened != 1 {
		t.Fatal("not open")
	}
	if b.ends(early, true, now); !b.open() {
		t.Fatal("closed by a request that was made before it opened")
	}
	now = now.Add(5 * time.Second)
	if !b.admits(now) {
		t.Fatal("not half open")
	}
	b.begins(probe)
	if b.admits(now) {
		t.Fatal("admits a second one beside the probe")
	}
	if b.ends(early, true, now); !b.open() {
		t.Fatal("closed by a request that is not the probe")
	}
	if changed := b.ends(probe, false, now); changed || b.admits(now.Add(5*time.Second-1)) {
		t.Fatal("not open again")
	}
	now = now.Add(5 * time.Second)
	b.begins(probe)
	if changed := b.ends(probe, true, now); !changed || b.open() || b.opened != 1 {
		t.Fatal("not closed by the probe")
	}
	for range breakerRow - 1 {
		b.ends(early, false, now)
	}
	if b.open() {
		t.Fatal("remembers what was before it opened")
	}
}

func TestQueueLetsNobodyStarve(t *testing.T) {
	var q queue
	for range 100 {
		q.push(&hook{done: make(chan struct{})})
		q.push(&hook{})
	}
	told := 0
	for range 80 {
		if q.pop().done == nil {
			told++
		}
	}
	if told != 10 {
		t.Errorf("%d of 80 are hooks that nobody waits for", told)
	}
	for q.asked.Len() > 0 {
		q.pop()
	}
	for q.told.Len() > 0 {
		q.pop()
	}
	if q.pop() != nil {
		t.Error("not empty")
	}
}

// The example of the Standard Webhooks specification.
func TestSignature(t *testing.T) {
	key, err := parseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Error(got)
	}
	two := sign([][]byte{key, []byte("x")}, "a", time.Unix(1, 0), nil)
	if one := sign([][]byte{key}, "a", time.Unix(1, 0), nil); !strings.HasPrefix(two, one+" v1,") {
		t.Errorf("%s, %s", two, one)
	}
}
