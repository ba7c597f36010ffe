package bench

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/bench/client"
)

// The load profile is recognised without being told.
func TestVocabularyIsLearned(t *testing.T) {
	t.Parallel()
	for _, transport := range []Transport{TransportWebSocket, TransportPolling} {
		cfg := small((&fakeServer{}).start(t))
		cfg.Vocabulary, cfg.Transport = "", transport
		if v, err := askVocabulary(t.Context(), cfg.withDefaults()); v != VocabularyLoad || err != nil {
			t.Errorf("%s: %q, %v", transport, v, err)
		}
	}
}

// A server with other events gets an error that says what to do, at once or after a while.
func TestUnknownVocabulary(t *testing.T) {
	t.Parallel()
	cfg := small((&fakeServer{silent: true}).start(t))
	cfg.Vocabulary = ""
	_, err := Run(t.Context(), cfg)
	var f *client.Fault
	if !errors.Is(err, ErrConnect) || !errors.As(err, &f) || !strings.Contains(f.Next, "siren bench init") {
		t.Errorf("%v", err)
	}
}

// A game needs messages that spare their sender.
func TestGameRefusesANode(t *testing.T) {
	t.Parallel()
	cfg := quick((&fakeServer{}).start(t), KindGame)
	cfg.Vocabulary = VocabularyNode
	if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "cmd/fixture -load") {
		t.Errorf("%v", err)
	}
}

// The publisher has a bounded number of publications on their way, sends those again that the server was too busy for,
// and ignores answers to an earlier burst.
func TestTickLoad(t *testing.T) {
	s, c, peer := newTestSubscriber(t, Config{Size: 40, Broadcasts: 20, Vocabulary: VocabularyNode})
	l := &wsLink{sub: s, conn: c, open: true}
	s.link, c.owner, s.publisher = l, l, true
	load := &s.w.ticks
	load.begin(s, s.w.cfg, s.w.clock.now())
	load.pace(s.w)
	if load.waiting != tickWindow || load.next != tickWindow {
		t.Fatalf("%d on their way, next %d", load.waiting, load.next)
	}
	if got := sent(t, peer); len(got) == 0 {
		t.Fatal("nothing was sent")
	}
	now := s.w.clock.now()
	for _, tt := range []struct {
		packet  string
		ok      bool
		waiting int
	}{
		{`30[{"status":"ok","count":5}]`, true, tickWindow - 1},
		{`31[{"error":"the server is busy"}]`, true, tickWindow - 2},
		{`32[{"error":"not allowed"}]`, false, tickWindow - 3},
		{`399[{"status":"ok","count":5}]`, true, tickWindow - 3}, // of another burst
		{`2["tick","x"]`, false, tickWindow - 3},
		{`3[]`, false, tickWindow - 3},
		{``, false, tickWindow - 3},
	} {
		if ok := load.answered([]byte(tt.packet), now); ok != tt.ok || load.waiting != tt.waiting {
			t.Errorf("%s: %v, %d on their way", tt.packet, ok, load.waiting)
		}
	}
	if len(load.again) != 1 || load.again[0] != 1 {
		t.Errorf("again %v", load.again)
	}
	load.againAt = now - int64(time.Second)
	load.pace(s.w)
	if len(load.again) != 0 || load.next != tickWindow+2 || load.waiting != tickWindow {
		t.Errorf("again %v, next %d, %d on their way", load.again, load.next, load.waiting)
	}
	load.begin(s, s.w.cfg, now)
	if load.base != 20 || load.waiting != 0 {
		t.Errorf("base %d, %d on their way", load.base, load.waiting)
	}
	if wait, ok := (&tickLoad{}).due(now); ok {
		t.Errorf("an idle load is due in %v", wait)
	}
}
