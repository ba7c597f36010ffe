package logqueue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"github.com/seed58c87869/siren/server/logqueue"
)

// patience bounds the waits of tests that fail.
const patience = 10 * time.Second

// gate is a handler that writes lines, and blocks while it is shut.
type gate struct {
	slog.Handler
	// handle, when set, runs before each record is written.
	handle func(r slog.Record)
}

func (g gate) Handle(ctx context.Context, r slog.Record) error {
	if g.handle != nil {
		g.handle(r)
	}
	return g.Handler.Handle(ctx, r)
}
func (g gate) WithAttrs(a []slog.Attr) slog.Handler { return gate{g.Handler.WithAttrs(a), g.handle} }
func (g gate) WithGroup(name string) slog.Handler   { return gate{g.Handler.WithGroup(name), g.handle} }

// text returns a handler that writes lines to buf, without their times.
func text(buf *bytes.Buffer, level slog.Level) slog.Handler {
	return slog.NewTextHandler(buf, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}})
}

func wantLines(t *testing.T, buf *bytes.Buffer, want ...string) {
	t.Helper()
	if got := strings.TrimSuffix(buf.String(), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// A queue is a slog.Handler as the package wants them.
func TestHandler(t *testing.T) {
	var buf bytes.Buffer
	var h *logqueue.Handler
	slogtest.Run(t, func(*testing.T) slog.Handler {
		buf.Reset()
		h = logqueue.New(slog.NewJSONHandler(&buf, nil), logqueue.Limits{})
		return h
	}, func(t *testing.T) map[string]any {
		if !h.Flush(patience) {
			t.Fatal("not flushed")
		}
		var record map[string]any
		if err := json.Unmarshal(buf.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		return record
	})
}

// Records come in order, with their groups, attributes, levels and times, and those of a level that the handler behind
// does not take do not come.
func TestRecordsKeepWhatTheyHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		var level slog.LevelVar
		block := make(chan struct{})
		var times []time.Time
		h := logqueue.New(gate{slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: &level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}), func(r slog.Record) {
			times = append(times, r.Time)
			<-block
		}}, logqueue.Limits{})
		log := slog.New(h)
		begin := time.Now()
		log.Info("one", "a", 1)
		time.Sleep(time.Second)
		log.WithGroup("g").With("b", 2).Warn("two", "c", 3)
		log.Debug("three") // was off when New asked
		log.With("d", 4).Info("four")
		time.Sleep(time.Hour)
		level.Set(slog.LevelWarn) // "four" is not wanted when the handler gets it
		close(block)
		if !h.Flush(patience) {
			t.Fatal("not flushed")
		}
		wantLines(t, &buf, "level=INFO msg=one a=1", "level=WARN msg=two g.b=2 g.c=3")
		if len(times) != 2 || !times[0].Equal(begin) || !times[1].Equal(begin.Add(time.Second)) {
			t.Errorf("times %v, want %v and a second later", times, begin)
		}
		if log.Enabled(t.Context(), slog.LevelDebug) || log.Enabled(t.Context(), slog.LevelDebug+1) {
			t.Error("levels are taken that the handler does not want")
		}
	})
}

// A handler that blocks does not block who logs. What does not fit is counted, and told once when the log is back.
func TestBlockedHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		block := make(chan struct{})
		h := logqueue.New(gate{text(&buf, slog.LevelDebug), func(slog.Record) { <-block }}, logqueue.Limits{Records: 8})
		log := slog.New(h)
		log.Debug("first")
		synctest.Wait() // the handler has it, and it counts no more
		for i := range 10 {
			log.Debug("line", "n", i)
		}
		for i := range 4 {
			log.Error(fmt.Sprint("error ", i)) // for which a quarter is kept
		}
		if h.Flush(time.Minute) {
			t.Error("flushed, though the handler blocks")
		}
		if s := h.Stats(); s != (logqueue.Stats{Dropped: 6}) {
			t.Errorf("%+v", s)
		}
		close(block)
		if !h.Flush(patience) {
			t.Fatal("not flushed")
		}
		want := []string{"level=DEBUG msg=first"}
		for i := range 6 {
			want = append(want, fmt.Sprintf("level=DEBUG msg=line n=%d", i))
		}
		want = append(want, `level=ERROR msg="error 0"`, `level=ERROR msg="error 1"`,
			`level=WARN msg="log records were left out: the log was behind" count=6`)
		wantLines(t, &buf, want...)
		log.Debug("later")
		if !h.Flush(patience) || !strings.HasSuffix(buf.String(), "count=6\nlevel=DEBUG msg=later\n") {
			t.Errorf("got\n%s", &buf)
		}
	})
}

// Of the warnings of one kind that come together a few pass, and the number of the others is told.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		h := logqueue.New(text(&buf, slog.LevelInfo), logqueue.Limits{Burst: 2})
		log := slog.New(h)
		for i := range 5 {
			log.Warn("flood", "n", i)
			log.With("a", 1).Error("other kind", "n", i)
			log.Info("no warning", "n", i)
		}
		time.Sleep(time.Minute) // the counts are told without another warning
		synctest.Wait()
		want := []string{
			"level=WARN msg=flood n=0", `level=ERROR msg="other kind" a=1 n=0`, `level=INFO msg="no warning" n=0`,
			"level=WARN msg=flood n=1", `level=ERROR msg="other kind" a=1 n=1`, `level=INFO msg="no warning" n=1`,
			`level=INFO msg="no warning" n=2`, `level=INFO msg="no warning" n=3`, `level=INFO msg="no warning" n=4`,
		}
		flood := `level=WARN msg="more of these log records were left out" message=flood count=3`
		other := `level=ERROR msg="more of these log records were left out" message="other kind" count=3`
		got := strings.Split(strings.TrimSuffix(buf.String(), "\n"), "\n")
		if len(got) != len(want)+2 || strings.Join(got[:len(want)], "\n") != strings.Join(want, "\n") ||
			!(got[9] == flood && got[10] == other || got[9] == other && got[10] == flood) {
			t.Errorf("got\n%s", &buf)
		}
		if s := h.Stats(); s != (logqueue.Stats{Throttled: 6}) {
			t.Errorf("%+v", s)
		}

		// The next window begins anew, and Flush does not wait for its end.
		buf.Reset()
		for range 5 {
			log.Warn("flood")
		}
		if !h.Flush(patience) {
			t.Error("not flushed")
		}
		wantLines(t, &buf, "level=WARN msg=flood", "level=WARN msg=flood", flood)
	})
}

// Messages without number cost no memory without bound, and their flood is throttled too.
func TestThrottleManyKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		h := logqueue.New(text(&buf, slog.LevelInfo), logqueue.Limits{Burst: 1})
		log := slog.New(h)
		for i := range 1000 {
			log.Warn(fmt.Sprint("kind ", i))
		}
		if h.Flush(patience); strings.Count(buf.String(), "\n") != 256+1+1 || !strings.Contains(buf.String(), "message=others count=743") {
			t.Errorf("%d lines, %+v", strings.Count(buf.String(), "\n"), h.Stats())
		}
		time.Sleep(time.Minute)
		buf.Reset()
		log.Warn("a new kind")
		if h.Flush(patience); buf.String() != "level=WARN msg=\"a new kind\"\n" {
			t.Errorf("got\n%s", &buf)
		}
	})
}

// A handler that panics, or ends its goroutine, loses that record and no other.
func TestHandlerThatFails(t *testing.T) {
	var buf bytes.Buffer
	h := logqueue.New(gate{text(&buf, slog.LevelInfo), func(r slog.Record) {
		switch r.Message {
		case "panic":
			panic("oh no")
		case "exit":
			runtime.Goexit()
		}
	}}, logqueue.Limits{})
	log := slog.New(h)
	for _, message := range []string{"a", "panic", "b", "exit", "c", "panic"} {
		log.Info(message)
	}
	if !h.Flush(patience) {
		t.Fatal("not flushed")
	}
	wantLines(t, &buf, "level=INFO msg=a", "level=INFO msg=b", "level=INFO msg=c")
}

// disk writes what it is given, unless it is full.
type disk struct {
	bytes.Buffer
	full bool
}

func (d *disk) Write(p []byte) (int, error) {
	if d.full {
		return 0, errors.New("no space left on device")
	}
	return d.Buffer.Write(p)
}

// Records that cannot be written are counted, and a line tells of them as soon as there is room again.
func TestFullDisk(t *testing.T) {
	var d disk
	h := logqueue.New(slog.NewTextHandler(&d, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}), logqueue.Limits{})
	log := slog.New(h)
	for _, message := range []string{"a", "lost", "lost too", "b", "c"} {
		d.full = strings.HasPrefix(message, "lost")
		log.Info(message)
		if !h.Flush(patience) {
			t.Fatal("not flushed")
		}
	}
	if n := h.Stats().Failed; n != 2 {
		t.Errorf("%d records failed", n)
	}
	wantLines(t, &d.Buffer, "level=INFO msg=a", "level=INFO msg=b",
		`level=WARN msg="log records were lost: they could not be written" count=2`, "level=INFO msg=c")
}

// Many goroutines log while others flush: nothing is lost, and the records of each are in order.
func TestConcurrent(t *testing.T) {
	const loggers, records = 8, 200
	last := map[int64]int64{}
	n := 0
	h := logqueue.New(taking{func(r slog.Record) {
		n++
		r.Attrs(func(a slog.Attr) bool {
			pair := a.Value.Any().([2]int64)
			if pair[1] != last[pair[0]]+1 {
				t.Errorf("%v behind %d", pair, last[pair[0]])
			}
			last[pair[0]] = pair[1]
			return true
		})
	}}, logqueue.Limits{Records: 2 * loggers * records})
	var wg sync.WaitGroup
	for i := range int64(loggers) {
		wg.Go(func() {
			log := slog.New(h)
			for k := range int64(records) {
				log.Info("x", "pair", [2]int64{i, k + 1})
				if k%50 == 0 && !h.Flush(patience) {
					t.Error("not flushed")
				}
			}
		})
	}
	wg.Wait()
	if !h.Flush(patience) || n != loggers*records {
		t.Errorf("%d records", n)
	}
}

// taking is a handler that takes everything.
type taking struct{ handle func(r slog.Record) }

func (taking) Enabled(context.Context, slog.Level) bool        { return true }
func (h taking) Handle(_ context.Context, r slog.Record) error { h.handle(r); return nil }
func (h taking) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h taking) WithGroup(string) slog.Handler                 { return h }
