package api

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// fill notes n samples, a second apart, of a node whose counters grow by one each second.
func fill(h *history, begin time.Time, n int) {
	for i := range n {
		c := uint64(i)
		h.note(sample{
			at:     begin.Add(time.Duration(i) * time.Second),
			totals: totals{connects: c, sentPackets: 10 * c, dropped: 2 * c, refused: 3 * c},
			levels: levels{webSockets: i, polling: 1, mailbox: 2, memory: 4096, lag: 1500 * time.Microsecond},
		})
	}
}

// Rates are what happened between two samples.
func TestRates(t *testing.T) {
	begin := time.Now()
	h := &history{}
	if _, ok := h.since(begin, time.Second); ok {
		t.Error("a rate without a sample")
	}
	fill(h, begin, 200)
	now := begin.Add(199*time.Second + time.Second/2)
	for width, want := range map[time.Duration]uint64{time.Second: 198, 10 * time.Second: 189, time.Minute: 139, time.Hour: 0} {
		if s, ok := h.since(now, width); !ok || s.totals.connects != want {
			t.Errorf("%v: from sample %d, want %d", width, s.totals.connects, want)
		}
	}
	connects := func(t *totals) uint64 { return t.connects }
	at := func(ms int, n uint64) *sample {
		return &sample{at: begin.Add(time.Duration(ms) * time.Millisecond), totals: totals{connects: n}}
	}
	for _, c := range []struct {
		then, now *sample
		want      float64
	}{
		{at(0, 5), at(1000, 15), 10}, {at(0, 5), at(2000, 15), 5},
		{at(0, 5), at(10, 15), 10}, // ten in ten milliseconds are not a thousand a second
		{at(0, 15), at(1000, 5), 0}, {at(0, 5), at(0, 15), 0}, {at(1000, 5), at(0, 15), 0},
	} {
		if got := perSecond(connects, c.then, c.now); got != c.want {
			t.Errorf("from %+v to %+v: %v each second, want %v", c.then, c.now, got, c.want)
		}
	}
}

// row is a row of the history, as callers read it.
type row struct {
	Time                 time.Time
	Websocket            int
	Connects, Dropped    float64
	Sent                 float64 `json:"sent_packets"`
	Lag                  float64 `json:"lag_seconds"`
	Memory               int     `json:"memory_bytes"`
	Mailbox, Polling     int
	Refused, Disconnects float64
}

// rowsOf returns the history of an answer of stats; nil when there is none.
func rowsOf(t *testing.T, a answered) (rows []row) {
	t.Helper()
	var answer struct{ History []row }
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.History
}

// The history is there for those who ask for it, with at most one row for each of the last 600 seconds.
func TestHistory(t *testing.T) {
	n := start(t, nil, nil)
	n.api.history.close() // the test takes the samples
	h := &history{stop: make(chan struct{})}
	n.api.history = h
	if a := n.post("stats", `{"history":true}`); a.status != 200 || a.value["history"] == nil || len(rowsOf(t, a)) != 0 {
		t.Error("without samples:", a.body)
	}
	for _, a := range []answered{n.do(http.MethodGet, "stats", ""), n.post("stats", `{}`), n.post("stats", `{"history":false}`)} {
		if _, ok := a.value["history"]; ok {
			t.Error("a history that nobody has asked for")
		}
	}
	begin := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ samples, rows int }{{1, 0}, {2, 1}, {600, 599}, {601, 600}, {602, 600}, {2000, 600}} {
		*h = history{stop: h.stop}
		fill(h, begin, c.samples)
		rows := rowsOf(t, n.post("stats", `{"history":true}`))
		if len(rows) != c.rows {
			t.Errorf("%d rows of %d samples, want %d", len(rows), c.samples, c.rows)
		}
		for i, got := range rows {
			number := c.samples - c.rows + i
			want := row{
				Time: begin.Add(time.Duration(number) * time.Second), Websocket: number, Polling: 1, Connects: 1, Dropped: 2, Refused: 3,
				Sent: 10, Lag: 0.0015, Memory: 4096, Mailbox: 2,
			}
			if got != want {
				t.Fatalf("row %d is %+v, want %+v", i, got, want)
			}
		}
	}
}

// The node takes samples by itself, of what its loops count.
func TestSamples(t *testing.T) {
	n := start(t, nil, func(cfg *Config) {
		cfg.Dropped = func() map[string]uint64 { return map[string]uint64{"x": 3, "y": 4} }
	})
	n.connect("ann")
	s, ok := n.api.sample()
	if !ok || s.levels.webSockets != 1 || s.totals.connects != 1 || s.totals.dropped != 7 || s.levels.memory < 1<<20 ||
		s.totals.sentBytes == 0 || time.Since(s.at) > patience {
		t.Errorf("%v %+v", ok, s)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		rows := rowsOf(t, n.post("stats", `{"history":true}`))
		if len(rows) > 0 && rows[len(rows)-1].Websocket == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the node has taken no sample: %+v", rows)
		}
	}
}

// A sample costs the same after ten minutes as before, and takes no memory.
func TestSamplesAreBounded(t *testing.T) {
	h := &history{}
	s := sample{at: time.Now()}
	if n := testing.AllocsPerRun(2*historyRows, func() { h.note(s) }); n != 0 {
		t.Errorf("%v allocations for a sample", n)
	}
	if got := len(h.samples()); got != historyRows+1 {
		t.Errorf("%d samples are kept", got)
	}
}
