package api

import (
	"encoding/json"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

// This file joins the API of a process with that of another one, while this one takes over from it: each call is made
// there too, and the answers are added. Lists and statistics are this process's alone, and say so.

// adders add the answer of the other process to that of this one, by the answer's schema. Calls with other answers are
// those of this process alone.
var adders = map[string]func(own, other []byte) ([]byte, error){
	"Emitted": addCounts, "Counted": addCounts, "Count": addCounts, "EmittedBatch": addBatches, "Replies": addReplies,
}

// partial has the schemas of answers that are not added, and are marked while there is an older process.
var partial = map[string]bool{"Sockets": true, "Rooms": true, "Stats": true}

// partialMark ends the answer of this process while another one still has clients.
const partialMark = `,"partial":true}`

// counted is an answer with a number of sockets.
type counted struct {
	Count   *int            `json:"count,omitempty"`
	Sockets *int            `json:"sockets,omitempty"`
	Exact   *bool           `json:"exact,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// add adds another one's numbers. Numbers that are missing are not added: one of the processes has refused.
func (c *counted) add(other *counted) {
	for _, n := range []struct{ to, from *int }{{c.Count, other.Count}, {c.Sockets, other.Sockets}} {
		if n.to != nil && n.from != nil {
			*n.to += *n.from
		}
	}
	if c.Exact != nil && other.Exact != nil {
		*c.Exact = *c.Exact && *other.Exact
	}
}

func addCounts(own, other []byte) ([]byte, error) {
	var a, b counted
	if err := unmarshal(own, other, &a, &b); err != nil {
		return nil, err
	}
	a.add(&b)
	return json.Marshal(&a)
}

func addBatches(own, other []byte) ([]byte, error) {
	var a, b struct {
		Results []counted `json:"results"`
	}
	if err := unmarshal(own, other, &a, &b); err != nil {
		return nil, err
	}
	for i := range min(len(a.Results), len(b.Results)) {
		a.Results[i].add(&b.Results[i])
	}
	return json.Marshal(&a)
}

func addReplies(own, other []byte) ([]byte, error) {
	var a, b struct {
		Replies []json.RawMessage `json:"replies"`
		Missing int               `json:"missing"`
	}
	if err := unmarshal(own, other, &a, &b); err != nil {
		return nil, err
	}
	a.Replies = append(a.Replies, b.Replies...)
	a.Missing += b.Missing
	return json.Marshal(&a)
}

func unmarshal(own, other []byte, a, b any) error {
	if err := json.Unmarshal(own, a); err != nil {
		return err
	}
	return json.Unmarshal(other, b)
}

// withOlder carries the call out here, by run, and in the process that this one takes over from. That one is asked when
// this one has done it; a call that waits for replies asks both at once.
func (a *API) withOlder(c *call, body []byte, run func() ([]byte, *problem.Problem)) ([]byte, *problem.Problem) {
	if a.cfg.Older != nil && partial[c.answer] {
		return a.marked(run)
	}
	add := adders[c.answer]
	if a.cfg.Older == nil || add == nil {
		return run()
	}
	// The body belongs to the request, and the answer of the other process may come later than that of this one.
	body = append([]byte(nil), body...)
	var other []byte
	asked := make(chan struct{})
	ask := func() {
		defer close(asked)
		other = a.cfg.Older(pathOf(c.name), body)
	}
	waits := c.answer == "Replies"
	if waits {
		go ask()
	}
	own, p := run()
	if p != nil {
		return own, p
	}
	if !waits {
		ask()
	}
	<-asked
	if other == nil {
		return own, nil
	}
	sum, err := add(own, other)
	if err != nil {
		a.cfg.Logger.Error("the answers of two processes cannot be added", "call", c.name, "err", err)
		return own, nil
	}
	return sum, nil
}

// marked carries a call out here, and marks the answer, an object, if the older process has not ended.
func (a *API) marked(run func() ([]byte, *problem.Problem)) ([]byte, *problem.Problem) {
	own, p := run()
	if p == nil && a.cfg.Older(pathOf("stats"), []byte("{}")) != nil {
		own = append(own[:len(own)-1], partialMark...)
	}
	return own, p
}

// ServeOther answers a call of another process of the node, see Config.Older and Config.Newer.
func (a *API) ServeOther(ctx *fasthttp.RequestCtx) {
	for _, c := range a.calls {
		if string(ctx.Path()) != pathOf(c.name) {
			continue
		}
		out, p := a.run(ctx, admin.Caller{Address: "another process"}, c, nil)
		if p != nil {
			admin.Refuse(ctx, p)
			return
		}
		answer(ctx, out)
		return
	}
	admin.Refuse(ctx, problem.New(problem.NotFound, "there is no such call"))
}

// byNewer has the process answer that has taken over from this one. It reports whether that has.
func (a *API) byNewer(ctx *fasthttp.RequestCtx, c *call) bool {
	if a.cfg.Newer == nil || !ctx.IsPost() {
		return false
	}
	status, body, ok := a.cfg.Newer(pathOf(c.name), ctx.PostBody())
	if !ok {
		return false
	}
	answer(ctx, body)
	if ctx.SetStatusCode(status); status != fasthttp.StatusOK {
		ctx.SetContentType(problem.ContentType)
	}
	ctx.SetConnectionClose() // the next one goes to that process
	return true
}
