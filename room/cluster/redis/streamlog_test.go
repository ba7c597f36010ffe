package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// newLogNode connects a node whose clients recover in the namespace "/", and waits for its position.
func newLogNode(t *testing.T, cfg Config) (*Adapter, brokertest.Inbox) {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	in := make(brokertest.Inbox, 1<<17)
	if !a.HasLog() {
		t.Fatal("it has no log")
	}
	receive := func(m *cluster.Message) {
		if m.Kind != cluster.LogPosition || !m.Offset.IsZero() {
			in <- m
		}
	}
	if err := a.SubscribeLog("/", receive); err != nil {
		t.Fatal(err)
	}
	brokertest.Ready(t, a)
	if m := in.Next(t); m.Kind != cluster.LogPosition || m.Offset.IsZero() || m.Unsettled {
		t.Fatalf("%+v", m)
	}
	return a, in
}

func publishAll(t *testing.T, a *Adapter, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := a.Publish(brokertest.Event(a, `["`+text+`"]`)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogOrder shows that all nodes get the broadcasts of all in one order, with rising offsets, the node's own ones
// among them, and what is to be done behind them.
func TestLogOrder(t *testing.T) {
	srv := redistest.Start(t)
	cfg := Config{URL: srv.URL("adapter=streams"), EchoTimeout: brokertest.Patience}
	a, inA := newLogNode(t, cfg)
	b, inB := newLogNode(t, cfg)
	const each = 2000
	behind := make(chan int, each)
	go func() {
		for i := range each {
			_ = b.Publish(brokertest.Event(b, fmt.Sprintf(`["b",%d]`, i)))
		}
	}()
	for i := range each {
		if err := a.Publish(brokertest.Event(a, fmt.Sprintf(`["a",%d]`, i))); err != nil {
			t.Fatal(err)
		}
		if note := func() { behind <- len(inA) }; !a.InOrder("/", note) {
			note()
		}
	}
	var orders [2][]string
	for i, in := range []brokertest.Inbox{inA, inB} {
		var last cluster.Offset
		for range 2 * each {
			m := in.Next(t)
			if m.Kind != cluster.Broadcast || m.Offset.Compare(last) <= 0 || m.Unsettled || m.Repeated {
				t.Fatalf("%+v after %v", m, last)
			}
			last = m.Offset
			orders[i] = append(orders[i], m.From+string(m.Data.JSON))
		}
	}
	if !slices.Equal(orders[0], orders[1]) {
		t.Error("the nodes have different orders")
	}
	for i := range each {
		if got := <-behind; got > 2*each {
			t.Fatal(i, got)
		}
	}
	for _, from := range []*Adapter{a, b} {
		own := slices.DeleteFunc(slices.Clone(orders[0]), func(s string) bool { return !strings.HasPrefix(s, from.Node()) })
		if len(own) != each || !strings.HasSuffix(own[0], ",0]") || !strings.HasSuffix(own[each-1], fmt.Sprintf(",%d]", each-1)) {
			t.Error(len(own), own[0])
		}
	}
}

// TestLogFrozen shows that a broker that does not answer holds up a node's own clients for a bounded time, once; that
// the broadcasts come back with their offsets later, as repeated; and that everything is settled then.
func TestLogFrozen(t *testing.T) {
	srv := redistest.Start(t)
	a, in := newLogNode(t, Config{URL: srv.URL("adapter=streams"), EchoTimeout: 50 * time.Millisecond, DownAfter: time.Minute})
	srv.Freeze()
	publishAll(t, a, "1", "2")
	for _, want := range []string{`["1"]`, `["2"]`} {
		if m := in.Next(t); string(m.Data.JSON) != want || !m.Offset.IsZero() || !m.Unsettled || m.From != a.Node() {
			t.Fatalf("%+v", m)
		}
	}
	publishAll(t, a, "3")
	if m := in.Next(t); string(m.Data.JSON) != `["3"]` || !m.Unsettled {
		t.Fatalf("%+v", m)
	}
	srv.Thaw()
	for i := 1; i <= 3; {
		switch m := in.Next(t); {
		case m.Kind == cluster.LogPosition: // the connection may have been replaced
		case string(m.Data.JSON) != fmt.Sprintf(`["%d"]`, i) || m.Offset.IsZero() || !m.Repeated || m.Unsettled != (i < 3):
			t.Fatalf("%+v", m)
		default:
			i++
		}
	}
	publishAll(t, a, "4")
	for m := in.Next(t); ; m = in.Next(t) {
		if m.Kind == cluster.Broadcast {
			if string(m.Data.JSON) != `["4"]` || m.Offset.IsZero() || m.Repeated {
				t.Fatalf("%+v", m)
			}
			break
		}
	}
}

// TestLogOfNewNamespace shows that what a namespace has published before it went is not taken for what the namespace of
// that name publishes after it has come back.
func TestLogOfNewNamespace(t *testing.T) {
	srv := redistest.Start(t)
	a, _ := newLogNode(t, Config{URL: srv.URL("adapter=streams"), EchoTimeout: brokertest.Patience, DownAfter: time.Minute})
	srv.Freeze()
	publishAll(t, a, "former")
	a.Unsubscribe("/")
	in := make(brokertest.Inbox, 1<<10)
	if err := a.SubscribeLog("/", func(m *cluster.Message) { in <- m }); err != nil {
		t.Fatal(err)
	}
	publishAll(t, a, "latter")
	srv.Thaw()
	for _, want := range []string{`["former"]`, `["latter"]`} {
		m := in.Next(t)
		for m.Kind == cluster.LogPosition {
			m = in.Next(t)
		}
		if string(m.Data.JSON) != want || m.Offset.IsZero() || m.Repeated != (want == `["former"]`) {
			t.Fatalf("%s: %+v", want, m)
		}
	}
}

// TestLogLost shows that a node hands over its broadcasts at once while the broker is away, that they come later for
// others, and that a broker without its data is noticed: there is another position, and what was is gone.
func TestLogLost(t *testing.T) {
	srv := redistest.Start(t)
	cfg := Config{URL: srv.URL("adapter=streams"), EchoTimeout: brokertest.Patience}
	a, inA := newLogNode(t, cfg)
	b, inB := newLogNode(t, cfg)
	publishAll(t, a, "before")
	before := inA.Next(t).Offset
	inB.Next(t)
	srv.Kill()
	for _, x := range []*Adapter{a, b} {
		brokertest.Eventually(t, "the loss is noticed", func() bool { return x.Health().State == cluster.Down })
	}
	publishAll(t, a, "away")
	if m := inA.Next(t); string(m.Data.JSON) != `["away"]` || !m.Unsettled {
		t.Fatalf("%+v", m)
	}
	if _, err := a.TakeSession(t.Context(), "p"); !errors.Is(err, cluster.ErrDown) {
		t.Error(err)
	}
	srv.Restart()
	brokertest.Ready(t, a)
	brokertest.Ready(t, b)
	for i, in := range []brokertest.Inbox{inA, inB} {
		m := in.Next(t)
		if m.Kind != cluster.LogPosition || m.Offset.Compare(before) <= 0 {
			t.Fatalf("node %d: %+v", i, m)
		}
		m = in.Next(t)
		if string(m.Data.JSON) != `["away"]` || m.Offset.IsZero() || m.Repeated != (i == 0) || m.Unsettled {
			t.Fatalf("node %d: %+v", i, m)
		}
		err := a.ReadLog(t.Context(), "/", before, m.Offset, func(*cluster.Message) bool { return true })
		if !errors.Is(err, cluster.ErrGone) {
			t.Error(err)
		}
	}
}

// TestLogRefused shows that a broadcast that the broker refuses reaches the node's own clients, in its place.
func TestLogRefused(t *testing.T) {
	srv := redistest.Start(t)
	a, in := newLogNode(t, Config{URL: srv.URL("adapter=streams"), EchoTimeout: brokertest.Patience})
	publishAll(t, a, "1")
	first := in.Next(t)
	srv.Do("SET", "socket.io", "no stream")
	publishAll(t, a, "2")
	if m := in.Next(t); string(m.Data.JSON) != `["2"]` || !m.Offset.IsZero() || first.Offset.IsZero() {
		t.Fatalf("%+v", m)
	}
	brokertest.Eventually(t, "it is settled", func() bool { return !a.space("/").log.Unsettled() })
}

// TestReadLog shows what is read: the messages of the namespace after an offset up to another, of all nodes, over many
// batches, until nobody wants more.
func TestReadLog(t *testing.T) {
	srv := redistest.Start(t)
	cfg := Config{URL: srv.URL("adapter=streams"), EchoTimeout: brokertest.Patience}
	a, in := newLogNode(t, cfg)
	const count = 2*readMax + 10
	for i := range count {
		_ = a.Publish(brokertest.Event(a, brokertest.Number(i)))
		m := brokertest.Event(a, `["other"]`)
		m.Namespace = "/other"
		_ = a.Publish(m)
	}
	var offsets []cluster.Offset
	for range count {
		offsets = append(offsets, in.Next(t).Offset)
	}
	read := func(after, until cluster.Offset, most int) (texts []string) {
		t.Helper()
		err := a.ReadLog(t.Context(), "/", after, until, func(m *cluster.Message) bool {
			if m.Namespace != "/" || m.Offset.Compare(after) <= 0 || m.Offset.Compare(until) > 0 {
				t.Errorf("%+v", m)
			}
			texts = append(texts, string(m.Data.JSON))
			return len(texts) < most
		})
		if err != nil {
			t.Fatal(err)
		}
		return texts
	}
	got := read(offsets[4], offsets[count-2], count)
	if len(got) != count-6 || got[0] != brokertest.Number(5) || got[len(got)-1] != brokertest.Number(count-2) {
		t.Error(len(got), got[0])
	}
	if got := read(offsets[0], offsets[count-1], 3); len(got) != 3 {
		t.Error(got)
	}
	if got := read(offsets[7], offsets[7], 3); len(got) != 0 {
		t.Error(got)
	}
	srv.Do("XTRIM", "socket.io", "MAXLEN", "10")
	if err := a.ReadLog(t.Context(), "/", offsets[7], offsets[9], func(*cluster.Message) bool { return true }); !errors.Is(err, cluster.ErrGone) {
		t.Error(err)
	}
	srv.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.ReadLog(ctx, "/", offsets[7], offsets[9], nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if s, err := a.TakeSession(ctx, "x"); s != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(s, err)
	}
}

// TestSession shows that a session is saved and taken once, by one node, with everything in it, within its time and its
// size.
func TestSession(t *testing.T) {
	srv := redistest.Start(t)
	cfg := Config{URL: srv.URL("adapter=streams"), MaxSession: 1000}
	a, _ := newLogNode(t, cfg)
	b, _ := newLogNode(t, cfg)
	want := &cluster.Session{
		PID: "p", ID: "s", Namespace: "/x", Rooms: []string{"s", "r", "1"}, User: "u", Tag: "t", Base: cluster.Offset{Major: 5, Minor: 7},
		Data: sio.Raw{JSON: []byte(`{"a":[1,{"_placeholder":true,"num":0}]}`), Attachments: [][]byte{{1, 2}}},
	}
	save := func(s *cluster.Session, ttl time.Duration) {
		t.Helper()
		if err := a.SaveSession(s, ttl); err != nil {
			t.Fatal(err)
		}
		if err := a.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	save(want, time.Minute)
	got, err := b.TakeSession(t.Context(), "p")
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v %v", got, err)
	}
	for _, x := range []*Adapter{a, b} {
		if got, err := x.TakeSession(t.Context(), "p"); got != nil || err != nil {
			t.Error(got, err)
		}
	}
	save(want, -time.Minute)
	if got, err := b.TakeSession(t.Context(), "p"); got != nil || err != nil {
		t.Error(got, err)
	}
	save(want, 20*time.Millisecond)
	brokertest.Eventually(t, "it is over", func() bool { return srv.Do("EXISTS", "sio:session:p") == ":0" })
	if err := a.SaveSession(&cluster.Session{PID: "p", ID: "s", User: strings.Repeat("x", 1000)}, time.Minute); !errors.Is(err, errSessionSize) {
		t.Error(err)
	}
	srv.Do("SET", "sio:session:long", strings.Repeat("A", 2000))
	srv.Do("SET", "sio:session:bad", "AAAA")
	srv.Do("SET", "sio:session:other", string(must(appendSession(want))))
	for _, pid := range []string{"long", "bad", "other"} {
		if got, err := a.TakeSession(t.Context(), pid); got != nil || err == nil {
			t.Error(pid, got, err)
		}
	}
	if n := a.Stats().Malformed; n != 3 {
		t.Error(n)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestReadSession reads a session that a node of the reference has saved.
func TestReadSession(t *testing.T) {
	const text = "hKNzaWS0R3MwVmJtcnJ6S3ZrTTFRQUFBQUGjcGlktEVZbVZLUkR0V3NIbi1hQzZBQUFCpXJvb21zk7RHczBWYm1ycnpLdmtNMVFBQUFBQaVyb29tMaF5pGRhdGGBpHVzZXKjdS1B"
	a, _, _ := bareFormat("me", Streams, RoomsStatic)
	limits := a.limits()
	s, err := readSession(text, &limits)
	if err != nil || s.PID != "EYmVKRDtWsHn-aC6AAAB" || s.ID != "Gs0VbmrrzKvkM1QAAAAA" || !slices.Equal(s.Rooms, []string{s.ID, "room1", "y"}) ||
		string(s.Data.JSON) != `{"user":"u-A"}` || !s.Base.IsZero() || s.Tag != "" {
		t.Errorf("%+v %v", s, err)
	}
}

func FuzzReadSession(f *testing.F) {
	f.Add("hKNzaWS0R3MwVmJtcnJ6S3ZrTTFRQUFBQUGjcGlktEVZbVZLUkR0V3NIbi1hQzZBQUFCpXJvb21zk7RHczBWYm1ycnpLdmtNMVFBQUFBQaVyb29tMaF5pGRhdGGBpHVzZXKjdS1B")
	f.Add(string(must(appendSession(&cluster.Session{
		PID: "p", ID: "s", Rooms: []string{"r"}, Base: cluster.Offset{Major: 1},
		Data: sio.Raw{JSON: []byte(`{"_placeholder":true,"num":0}`), Attachments: [][]byte{{1}}},
	}))))
	f.Fuzz(func(t *testing.T, text string) {
		limits := msgpack.Limits{Depth: sio.MaxDepth}
		s, err := readSession(text, &limits)
		if err != nil {
			return
		}
		if s.ID == "" || s.PID == "" {
			t.Errorf("%+v", s)
		}
		if _, err := appendSession(s); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	})
}
