package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/server"
)

func TestEmit(t *testing.T) {
	n := start(t, nil, nil)
	a, b, c := n.connect("ann"), n.connect("ann"), n.connect("bob")
	for _, s := range []*client{a, b} {
		n.want("join", fmt.Sprintf(`{"rooms":[%q],"to":["x"]}`, s.id), 200, `{"count":1}`)
	}
	n.want("join", fmt.Sprintf(`{"rooms":[%q],"to":["y"]}`, b.id), 200, `{"count":1}`)
	mark := 0
	check := func(selection, answer string, who ...*client) {
		t.Helper()
		mark++
		n.want("emit", fmt.Sprintf(`{%s"event":"e","args":[%d]}`, selection, mark), 200, answer)
		for _, s := range who {
			s.expect(fmt.Sprintf(`42["e",%d]`, mark))
		}
	}
	check(``, `{"count":3,"exact":false}`, a, b, c)
	check(`"namespace":"/",`, `{"count":3,"exact":false}`, a, b, c)
	check(`"rooms":["x"],`, `{"count":2,"exact":true}`, a, b)
	check(`"rooms":["nowhere"],`, `{"count":0,"exact":true}`)
	check(`"rooms":["x","y"],`, `{"count":3,"exact":false}`, a, b)
	check(`"rooms":["x"],"except":["y"],`, `{"count":2,"exact":false}`, a)
	check(`"except":["x"],`, `{"count":3,"exact":false}`, c)
	check(`"rooms":["x"],"except":[],`, `{"count":2,"exact":true}`, a, b)
	check(`"users":["ann"],`, `{"count":2,"exact":false}`, a, b)
	check(`"users":["bob"],"rooms":["y"],`, `{"count":2,"exact":false}`, b, c)
	check(fmt.Sprintf(`"rooms":[%q],`, c.id), `{"count":1,"exact":true}`, c)
	check(`"volatile":true,"local":true,"rooms":["x"],`, `{"count":2,"exact":true}`, a, b)
	// An empty list is nobody, and must not become everybody.
	check(`"rooms":[],`, `{"count":0,"exact":false}`)
	check(`"users":[],`, `{"count":0,"exact":false}`)
	check(`"rooms":[],"users":[],`, `{"count":0,"exact":false}`)
	check(`"rooms":[],"users":["bob"],`, `{"count":1,"exact":false}`, c)
	check(`"rooms":["y"],"users":[],`, `{"count":1,"exact":true}`, b)
	n.want("emit", `{"event":"none"}`, 200, "")
	for _, s := range []*client{a, b, c} {
		s.expect(`42["none"]`)
	}
	n.refused("emit", `{"namespace":"/no","event":"e"}`, "unknown_namespace", "namespace")
}

// What values look like on the wire: numbers keep their precision, $binary is an attachment.
func TestEmitValues(t *testing.T) {
	n := start(t, nil, nil)
	c := n.connect("")
	for _, test := range []struct {
		args string
		want []string
	}{
		{`[12345678901234567890, 1.10, 1e400, -0.0]`, []string{`42["e",12345678901234567890,1.10,1e400,-0.0]`}},
		{`[ "a\u0000\ud83d\ude00é" , null , {"a" : [ ] } ]`, []string{`42["e","a\u0000\ud83d\ude00é",null,{"a" : [ ] }]`}},
		{`[[[[]]], ",", "\\\"]", {}]`, []string{`42["e",[[[]]],",","\\\"]",{}]`}},
		{`[]`, []string{`42["e"]`}},
		{`[{"$binary":"AQID"}]`, []string{`451-["e",{"_placeholder":true,"num":0}]`, "binary 010203"}},
		{`[1,{"a":[{"$binary":""},"$binary"]},{"\u0024binary":"/+8="}]`,
			[]string{`452-["e",1,{"a":[{"_placeholder":true,"num":0},"$binary"]},{"_placeholder":true,"num":1}]`, "binary ", "binary ffef"}},
		{`[{"_placeholder":false},{"x":"_placeholder"}]`, []string{`42["e",{"_placeholder":false},{"x":"_placeholder"}]`}},
	} {
		n.want("emit", `{"event":"e","args":`+test.args+`}`, 200, `{"count":1,"exact":false}`)
		c.expect(test.want...)
	}
}

func TestBatch(t *testing.T) {
	n := start(t, nil, func(cfg *Config) { cfg.MaxEvent = 100 })
	a := n.connect("ann")
	answer := n.want("emit/batch", `{"emits":[
		{"event":"one"},
		{"event":"two","rooms":[]},
		{"event":"bad","rooms":["x",7]},
		{"event":"bad","what":[{}]},
		{"event":"bad","namespace":"/no"},
		{"event":"connect"},
		{"event":"token"},
		7,
		{},
		{"event":"bad","args":["`+strings.Repeat("x", 100)+`"]},
		{"event":"last","args":[{"$binary":"AQ=="}],"users":["ann"]}
	]}`, 200, "")
	var got struct {
		Results []struct {
			Count *int
			Error struct{ Code, Field, Type string }
		}
	}
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1", "0", "bad_field emits[2].rooms[1]", "bad_field emits[3].what", "unknown_namespace emits[4].namespace",
		"reserved_event emits[5].event", "reserved_event emits[6].event", "bad_field emits[7]", "bad_field emits[8].event",
		"too_large ", "1",
	}
	for i, r := range got.Results {
		text := r.Error.Code + " " + r.Error.Field
		if r.Count != nil {
			text = fmt.Sprint(*r.Count)
		}
		if text != want[i] || r.Error.Type != "" {
			t.Errorf("result %d: %s, want %s", i, text, want[i])
		}
	}
	if len(got.Results) != len(want) {
		t.Errorf("%d results", len(got.Results))
	}
	a.expect(`42["one"]`, `451-["last",{"_placeholder":true,"num":0}]`, "binary 01")
	n.want("emit/batch", `{"emits":[]}`, 200, `{"results":[]}`)
	// What is no JSON, or too much, has no effect at all.
	n.refused("emit/batch", `{"emits":[{"event":"no"},{"event":"no","event":"no"}]}`, "bad_json", "emits[1].event")
	n.refused("emit/batch", `{"emits":[`+strings.Repeat(`{"event":"no"},`, 1000)+`{"event":"no"}]}`, "bad_field", "emits")
	n.refused("emit/batch", `{"emits":{}}`, "bad_field", "emits")
	n.refused("emit/batch", `{}`, "bad_field", "emits")
	n.want("emit", `{"event":"end"}`, 200, "")
	a.expect(`42["end"]`)
}

func TestCall(t *testing.T) {
	n := start(t, nil, nil)
	a, b := n.connect("ann"), n.connect("bob")
	ask := func(body string) <-chan answered {
		ch := make(chan answered, 1)
		go func() { ch <- n.post("call", body) }()
		return ch
	}
	reply := func(c *client, args string, attachments ...string) {
		t.Helper()
		id, _, _ := strings.Cut(strings.TrimPrefix(c.next(), "42"), "[")
		if len(attachments) == 0 {
			c.send("43" + id + args)
			return
		}
		c.send(fmt.Sprintf("46%d-%s%s", len(attachments), id, args))
		for _, data := range attachments {
			c.binary([]byte(data))
		}
	}
	ch := ask(`{"event":"ask","args":[1]}`)
	reply(a, `[1.50,{"x":[{"_placeholder":true,"num":1},{"num":0,"_placeholder":true}]}]`, "\x01", "\xff\xef")
	reply(b, `[]`)
	got := <-ch
	var replies struct {
		Replies []struct {
			Socket string
			Args   json.RawMessage
		}
		Missing int
	}
	if err := json.Unmarshal([]byte(got.body), &replies); err != nil || len(replies.Replies) != 2 || replies.Missing != 0 {
		t.Fatal(got.body, err)
	}
	for _, r := range replies.Replies {
		want := `[]`
		if r.Socket == a.id {
			want = `[1.50,{"x":[{"$binary":"/+8="},{"$binary":"AQ=="}]}]`
		} else if r.Socket != b.id {
			t.Error(got.body)
		}
		if string(r.Args) != want {
			t.Errorf("args %s, want %s", r.Args, want)
		}
	}
	ch = ask(`{"event":"ask","limit":1,"timeout_ms":60000}`)
	reply(b, `["me"]`)
	if got := <-ch; got.body != fmt.Sprintf(`{"replies":[{"socket":%q,"args":["me"]}],"missing":1}`, b.id) {
		t.Error(got.body)
	}
	a.next()
	n.want("call", `{"event":"ask","timeout_ms":20}`, 200, `{"replies":[],"missing":2}`)
	a.next()
	b.next()
	n.want("call", `{"event":"ask","rooms":[]}`, 200, `{"replies":[],"missing":0}`)
	n.want("call", `{"event":"ask","rooms":["nowhere"]}`, 200, `{"replies":[],"missing":0}`)
	ch = ask(`{"event":"ask","timeout_ms":60000}`)
	reply(a, `[]`)
	b.next()
	_ = b.conn.Close() // it is missing at once
	if got := <-ch; got.body != fmt.Sprintf(`{"replies":[{"socket":%q,"args":[]}],"missing":1}`, a.id) {
		t.Error(got.body)
	}
	for body, field := range map[string]string{
		`{"event":"e","timeout_ms":60001}`: "timeout_ms", `{"event":"e","timeout_ms":0}`: "timeout_ms",
		`{"event":"e","limit":0}`: "limit", `{"event":"e","timeout_ms":1.5}`: "timeout_ms", `{"event":"e","limit":"1"}`: "limit",
	} {
		n.refused("call", body, "bad_field", field)
	}
}

func TestJoinLeaveDisconnectCount(t *testing.T) {
	n := start(t, nil, nil)
	var clients []*client
	for i := range 4 {
		clients = append(clients, n.connect([]string{"ann", "bob"}[i%2]))
	}
	n.want("join", `{"users":["ann"],"to":["x","y"]}`, 200, `{"count":2}`)
	n.want("count", `{"rooms":["x"]}`, 200, `{"sockets":2}`)
	n.want("count", `{}`, 200, `{"sockets":4}`)
	n.want("count", `{"rooms":[]}`, 200, `{"sockets":0}`)
	n.want("count", `{"users":["bob"],"rooms":["x"],"except":["y"]}`, 200, `{"sockets":2}`)
	n.want("leave", `{"rooms":["x"],"to":["y"]}`, 200, `{"count":2}`)
	n.want("count", `{"rooms":["y"]}`, 200, `{"sockets":0}`)
	n.want("join", `{"rooms":[],"to":["z"]}`, 200, `{"count":0}`)
	n.want("join", `{"to":[]}`, 200, `{"count":0}`)
	n.refused("join", `{"rooms":["x"]}`, "bad_field", "to")
	n.want("disconnect", fmt.Sprintf(`{"rooms":[%q]}`, clients[0].id), 200, `{"count":1}`)
	clients[0].expect("41")
	n.want("disconnect", fmt.Sprintf(`{"rooms":[%q],"close":true}`, clients[1].id), 200, `{"count":1}`)
	clients[1].expect("41", "closed")
	n.want("disconnect", `{"users":[]}`, 200, `{"count":0}`)
	n.want("disconnect", `{}`, 200, `{"count":2}`)
	n.want("count", `{}`, 200, `{"sockets":0}`)
	for _, want := range []string{
		"call=join key=0 count=2 addr=127.0.0.1", "call=leave key=0 count=2", "call=disconnect key=0 count=1",
	} {
		if !strings.Contains(n.log.String(), want) {
			t.Errorf("no line with %q in %s", want, n.log)
		}
	}
}

func TestSocketsAndRooms(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	n := start(t, nil, func(cfg *Config) {
		cfg.now = clock
		cfg.Data = func(*server.Socket) server.Raw {
			return server.Raw{JSON: []byte(`{"_placeholder":true,"num":0}`), Attachments: [][]byte{{1}}}
		}
	})
	var ids []string
	for range 7 {
		ids = append(ids, n.connect("ann").id)
	}
	n.want("join", `{"to":["r2","r1","other"]}`, 200, `{"count":7}`)
	type page struct {
		Sockets []struct {
			ID, User, Address, Transport string
			Rooms                        []string
			Data                         any
			ConnectedAt                  time.Time `json:"connected_at"`
		}
		Rooms []struct {
			Name    string
			Sockets int
		}
		Cursor string
	}
	get := func(call, selection, cursor string) (p page) {
		t.Helper()
		a := n.want(call, fmt.Sprintf(`{%s"cursor":%q}`, selection, cursor), 200, "")
		if err := json.Unmarshal([]byte(a.body), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	var seen []string
	last := ""
	for _, selection := range []string{`"limit":3,`, `"rooms":["r1"],"limit":3,`, `"users":["ann"],"limit":3,`} {
		seen = nil
		for cursor := ""; ; {
			p := get("sockets", selection, cursor)
			for _, s := range p.Sockets {
				seen = append(seen, s.ID)
				if s.User != "ann" || s.Address != "127.0.0.1" || s.Transport != "websocket" || !slices.Equal(s.Rooms, []string{"other", "r1", "r2"}) ||
					time.Since(s.ConnectedAt) > time.Minute || fmt.Sprint(s.Data) != "map[$binary:AQ==]" {
					t.Errorf("%+v", s)
				}
			}
			if cursor = p.Cursor; cursor == "" {
				break
			}
			last = cursor
		}
		slices.Sort(seen)
		slices.Sort(ids)
		if !slices.Equal(seen, ids) {
			t.Errorf("%s: %d of %d sockets", selection, len(seen), len(ids))
		}
	}
	p := get("rooms", `"prefix":"r","limit":1,`, "")
	q := get("rooms", `"prefix":"r","limit":1,`, p.Cursor)
	if len(p.Rooms) != 1 || len(q.Rooms) != 1 || q.Cursor != "" || p.Rooms[0].Sockets != 7 || p.Rooms[0].Name == q.Rooms[0].Name {
		t.Errorf("%+v %+v", p, q)
	}
	for _, cursor := range []string{"x", "!", last[1:], p.Cursor, strings.Repeat("A", 40), strings.Repeat("A", 2000)} {
		n.refused("sockets", fmt.Sprintf(`{"users":["ann"],"cursor":%q}`, cursor), "bad_field", "cursor")
	}
	n.refused("sockets", fmt.Sprintf(`{"users":["bob"],"cursor":%q}`, last), "bad_field", "cursor")
	n.refused("sockets", `{"limit":1001}`, "bad_field", "limit")
	n.refused("rooms", `{"limit":0}`, "bad_field", "limit")
	n.refused("rooms", `{"rooms":[]}`, "bad_field", "rooms")
	mu.Lock()
	now = now.Add(cursorLife - time.Second)
	mu.Unlock()
	get("sockets", `"users":["ann"],`, last)
	mu.Lock()
	now = now.Add(2 * time.Second)
	mu.Unlock()
	n.refused("sockets", fmt.Sprintf(`{"users":["ann"],"cursor":%q}`, last), "bad_field", "cursor")
}

func TestStats(t *testing.T) {
	n := start(t, nil, func(cfg *Config) {
		cfg.Draining = func() bool { return true }
		cfg.Dropped = func() map[string]uint64 { return map[string]uint64{"webhook_queue": 3} }
	})
	if err := n.srv.Of("/").Users("x").SocketsJoin("r"); err != nil {
		t.Fatal(err)
	}
	a, _ := n.connect("ann"), n.connect("bob")
	n.want("join", fmt.Sprintf(`{"rooms":[%q],"to":["r"]}`, a.id), 200, "")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		body := ""
		if method == http.MethodPost {
			body = "{}"
		}
		s := n.do(method, "stats", body).value
		if fmt.Sprintf("%v %v %v %v %v %v", s["connections"], s["sockets"], s["rooms"], s["version"], s["node"], s["draining"]) !=
			"map[polling:0 websocket:2] map[/:2] map[/:1] 1.2.3 test true" {
			t.Error(s)
		}
		if loops := s["loops"].([]any); len(loops) != 2 {
			t.Error(loops)
		}
		if top := fmt.Sprint(s["top_rooms"]); top != "[map[name:r namespace:/ sockets:1]]" {
			t.Error(top)
		}
		if s["memory_bytes"].(float64) < 1<<20 || s["dropped"].(map[string]any)["webhook_queue"] != 3.0 {
			t.Error(s)
		}
	}
	n.refused("stats", `{"x":1}`, "bad_field", "x")
	n.refused("stats", `{"history":1}`, "bad_field", "history")
	n.refused("stats", ``, "bad_json", "")
}

func TestReloadAndRevoke(t *testing.T) {
	bad := false
	var revoked []string
	n := start(t, nil, func(cfg *Config) {
		cfg.Reload = func(context.Context) (Reloaded, error) {
			if bad {
				return Reloaded{}, &problem.Problem{Code: problem.BadConfig, Detail: "1 error", Errors: []problem.Line{{Line: 3, Key: "a.b", Message: "no"}}}
			}
			return Reloaded{Changed: []string{"admin.api_keys"}, Restart: []string{"listen"}}, nil
		}
		cfg.Revoker = revoker(func(user string, before time.Time) (int, error) {
			if user == "fails" {
				return 0, errors.New("broken")
			}
			revoked = append(revoked, user+" "+before.UTC().Format(time.RFC3339Nano))
			return 2, nil
		})
	})
	n.want("reload", `{}`, 200, `{"changed":["admin.api_keys"],"restart":["listen"],"overridden":[]}`)
	bad = true
	a := n.refused("reload", `{}`, "bad_config", "")
	if a.status != 422 || fmt.Sprint(a.value["errors"]) != "[map[key:a.b line:3 message:no]]" {
		t.Error(a.body)
	}
	n.want("revoke", `{"user":"ann","before":"2026-01-02T03:04:05+01:00"}`, 200, `{"count":2}`)
	n.want("revoke", `{"user":"bob","before":1700000000.5}`, 200, `{"count":2}`)
	n.want("revoke", `{"user":"eve"}`, 200, `{"count":2}`)
	if len(revoked) != 3 || revoked[0] != "ann 2026-01-02T02:04:05Z" || revoked[1] != "bob 2023-11-14T22:13:20.5Z" {
		t.Error(revoked)
	}
	n.refused("revoke", `{"user":"fails"}`, "internal", "")
	n.refused("revoke", `{}`, "bad_field", "user")
	n.refused("revoke", `{"user":""}`, "bad_field", "user")
	n.refused("revoke", `{"user":"u","before":"yesterday"}`, "bad_field", "before")
	n.refused("revoke", `{"user":"u","before":true}`, "bad_field", "before")
	none := start(t, nil, nil)
	none.refused("reload", `{}`, "not_found", "")
	none.refused("revoke", `{"user":"u"}`, "not_found", "")
}

// The call drain tells what the node does, and refuses what the node refuses.
func TestDrainCall(t *testing.T) {
	var asked []string
	n := start(t, nil, func(cfg *Config) {
		cfg.Drain = func(timeout, spread *time.Duration) (Drained, error) {
			text := func(d *time.Duration) string {
				if d == nil {
					return "-"
				}
				return d.String()
			}
			asked = append(asked, text(timeout)+" "+text(spread))
			if spread != nil && *spread == time.Hour {
				return Drained{}, problem.Field(problem.BadField, "spread_ms", "too long")
			}
			return Drained{Sessions: 3, Timeout: 30 * time.Second, Spread: 1500 * time.Millisecond}, nil
		}
	})
	const answer = `{"draining":true,"sessions":3,"timeout_ms":30000,"spread_ms":1500}`
	n.want("drain", `{}`, 200, answer)
	n.want("drain", `{"timeout_ms":86400000,"spread_ms":0}`, 200, answer)
	n.want("drain", `{"spread_ms":1}`, 200, answer)
	n.refused("drain", `{"spread_ms":3600000}`, "bad_field", "spread_ms")
	for body, field := range map[string]string{
		`{"timeout_ms":0}`: "timeout_ms", `{"timeout_ms":86400001}`: "timeout_ms", `{"spread_ms":-1}`: "spread_ms",
		`{"spread_ms":"1s"}`: "spread_ms", `{"grace_ms":1}`: "grace_ms",
	} {
		n.refused("drain", body, "bad_field", field)
	}
	if got := strings.Join(asked, ", "); got != "- -, 24h0m0s 0s, - 1ms, - 1h0m0s" {
		t.Error(got)
	}
	start(t, nil, nil).refused("drain", `{}`, "not_found", "")
}

type revoker func(user string, before time.Time) (int, error)

func (r revoker) Revoke(_ context.Context, user string, before time.Time) (int, error) {
	return r(user, before)
}

// An event that would fill a client's queue by itself reaches nobody, and cuts nobody.
func TestTooLargeEvents(t *testing.T) {
	n := start(t, nil, func(cfg *Config) { cfg.MaxEvent = 1000 })
	c := n.connect("")
	fits := strings.Repeat("x", 1000-len(`["e",""]`))
	n.want("emit", `{"event":"e","args":["`+fits+`"]}`, 200, `{"count":1,"exact":false}`)
	c.expect(`42["e","` + fits + `"]`)
	for _, call := range []string{"emit", "call"} {
		if a := n.refused(call, `{"event":"e","args":["`+fits+`x"]}`, "too_large", ""); a.status != 413 {
			t.Error(a.status)
		}
		n.refused(call, `{"event":"e","args":[{"$binary":"`+strings.Repeat("AAAA", 400)+`"}]}`, "too_large", "")
	}
	n.want("emit", `{"event":"end"}`, 200, "")
	c.expect(`42["end"]`)
}

// A loop whose mailbox is full takes nothing, and nobody gets the event.
func TestOverloaded(t *testing.T) {
	for err, want := range map[error]string{
		server.ErrQueueFull: "overloaded", server.ErrTooManyAcks: "overloaded", server.ErrClosed: "draining",
		server.ErrCluster: "cluster", fmt.Errorf("x: %w", server.ErrEncode): "bad_field", server.ErrReserved: "reserved_event",
		server.ErrTooManyAttachments: "bad_field", &server.MissingError{Nodes: 1, Cause: server.ErrTimeout}: "cluster",
	} {
		p := toProblem(err, func(s string) string { return s })
		if p == nil || string(p.Code) != want || want == "overloaded" && p.RetryAfter == 0 {
			t.Errorf("%v: %v, want %s", err, p, want)
		}
	}
	if p := toProblem(errors.New("else"), nil); p != nil {
		t.Error(p)
	}
	n := start(t, nil, nil)
	c := n.connect("")
	gate, entered := make(chan struct{}), make(chan struct{})
	n.srv.Of("/").On("block", func(context.Context, *server.Message) { close(entered); <-gate }, server.Inline())
	c.send(`42["block"]`)
	<-entered
	full := false
	for range 100 {
		a := n.post("emit/batch", `{"emits":[`+strings.TrimSuffix(strings.Repeat(`{"event":"x"},`, 1000), ",")+`]}`)
		if strings.Contains(a.body, `"code":"overloaded"`) {
			full = true
			break
		}
	}
	if !full {
		t.Fatal("the mailbox never filled")
	}
	a := n.refused("emit", `{"event":"late"}`, "overloaded", "")
	if a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Error(a.status, a.header)
	}
	n.refused("call", `{"event":"late"}`, "overloaded", "")
	n.refused("join", `{"to":["late"]}`, "overloaded", "")
	n.refused("disconnect", `{}`, "overloaded", "")
	close(gate)
	for {
		m := c.next()
		if m == `42["late"]` || m == "41" || m == "closed" {
			t.Fatal(m)
		}
		if a := n.post("emit", `{"event":"end"}`); a.status == 200 {
			break
		}
	}
	for m := ""; m != `42["end"]`; {
		if m = c.next(); m == `42["late"]` || m == "closed" {
			t.Fatal(m)
		}
	}
}

// Calls are carried out until the server has ended; then all of them are refused.
func TestEnded(t *testing.T) {
	n := start(t, nil, nil)
	n.want("emit", `{"event":"e"}`, 200, `{"count":0,"exact":false}`)
	if err := n.srv.Close(); err != nil {
		t.Fatal(err)
	}
	for call, body := range map[string]string{
		"emit": `{"event":"e"}`, "emit/batch": `{"emits":[]}`, "call": `{"event":"e"}`, "join": `{"to":["x"]}`, "count": `{}`,
		"sockets": `{}`, "rooms": `{}`, "stats": `{}`, "disconnect": `{}`,
	} {
		if a := n.refused(call, body, "draining", ""); a.status != 503 {
			t.Error(call, a.status)
		}
	}
}

// A namespace of which the rules know, but where nobody is, takes events to nobody.
func TestNamespacesThatMayExist(t *testing.T) {
	n := start(t, nil, func(cfg *Config) {
		cfg.Exists = func(name string) bool { return name == "/room-1" }
	})
	n.srv.Of("/other") // the server has it still, but no rule names it any more
	for call, body := range map[string]string{
		"emit": `"event":"e"`, "call": `"event":"e"`, "join": `"to":["x"]`, "leave": `"to":["x"]`, "disconnect": `"close":true`,
		"sockets": `"limit":1`, "rooms": `"limit":1`, "count": `"except":[]`,
	} {
		n.want(call, `{"namespace":"/room-1",`+body+`}`, 200, "")
		n.refused(call, `{"namespace":"/other",`+body+`}`, "unknown_namespace", "namespace")
		n.refused(call, `{"namespace":"",`+body+`}`, "bad_field", "namespace")
	}
}
