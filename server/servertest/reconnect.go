package servertest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/seed58c87869/siren/codec/sio"
)

// Reconnect opens a new connection for a client whose connection has ended, with the options of the first one and
// further ones, like the official client. If the server has Config.Recovery, the client asks to resume. The new Client
// gets the missed events. See Recovered.
func (c *Client) Reconnect(opts ...Option) *Client {
	c.ts().t.Helper()
	auth := map[string]any{}
	if c.auth != nil {
		text, err := sio.AppendConnect(nil, "/", c.auth)
		if err == nil {
			err = json.Unmarshal(text[1:], &auth)
		}
		if err != nil {
			c.ts().t.Fatalf("servertest: auth: %v", err)
		}
	}
	if asked := c.recovery(); c.pid != "" {
		maps.Copy(asked, auth) // what the application says counts
		auth = asked
	}
	again := c.ts().Client(append(append(slices.Clone(c.link.given), Namespace(c.ns), Auth(auth)), opts...)...)
	again.former, again.auth = c, c.auth
	again.pid, again.offset = cmp.Or(again.pid, c.pid), cmp.Or(again.offset, c.offset)
	return again
}

// recovery returns the client's state for the server's recovery.
func (c *Client) recovery() map[string]any {
	out := map[string]any{"pid": c.pid}
	if c.offset != "" {
		out["offset"] = c.offset
	}
	return out
}

// Recovered reports whether the client has resumed the one that Reconnect was called for.
func (c *Client) Recovered() bool {
	return c.former != nil && c.id != "" && c.pid != "" && c.pid == c.former.pid
}

// noteOffset stores the last argument of an event if it is a string, like the official client: with Config.Recovery it
// is the event's offset.
func (c *Client) noteOffset(e Event) {
	if n := len(e.Args); n > 0 && !e.asks {
		var text string
		if e.Args[n-1].Unmarshal(&text) == nil && e.Args[n-1].JSON[0] == '"' {
			c.offset = text
		}
	}
}
