package api

import (
	"strings"
	"testing"
)

// The answers of calls that count are added to those of the older process, and a call that is refused here is not made
// there. Lists and statistics are this process's alone, and are marked as long as the older one answers.
func TestOlder(t *testing.T) {
	var asked []string
	other := ""
	n := start(t, nil, func(cfg *Config) {
		cfg.Older = func(path string, body []byte) []byte {
			asked = append(asked, path+" "+string(body))
			if other == "" {
				return nil
			}
			return []byte(other)
		}
	})
	for _, c := range []struct{ call, body, other, want string }{
		{"emit", `{"event":"e","rooms":["r"]}`, `{"count":3,"exact":true}`, `{"count":3,"exact":true}`},
		{"emit", `{"event":"e"}`, `{"count":3,"exact":false}`, `{"count":3,"exact":false}`},
		{"emit", `{"event":"e"}`, "", `{"count":0,"exact":false}`},
		{"emit/batch", `{"emits":[{"event":"e"},{"event":"f"}]}`, `{"results":[{"count":1},{"error":{"code":"overloaded"}}]}`,
			`{"results":[{"count":1},{"count":0}]}`},
		{"call", `{"event":"e"}`, `{"replies":[{"socket":"s","args":[1]}],"missing":2}`, `{"replies":[{"socket":"s","args":[1]}],"missing":2}`},
		{"join", `{"to":["r"]}`, `{"count":4}`, `{"count":4}`},
		{"leave", `{"to":["r"]}`, `{"count":4}`, `{"count":4}`},
		{"disconnect", `{}`, `{"count":4}`, `{"count":4}`},
		{"count", `{}`, `{"sockets":5}`, `{"sockets":5}`},
		{"count", `{}`, `not JSON`, `{"sockets":0}`},
	} {
		asked, other = nil, c.other
		n.want(c.call, c.body, 200, c.want)
		if got, want := strings.Join(asked, "; "), "/api/"+c.call+" "+c.body; got != want {
			t.Errorf("%s asked %q, want %q", c.call, got, want)
		}
	}
	asked = nil
	n.refused("emit", `{"event":"connect"}`, "reserved_event", "event")
	if len(asked) > 0 {
		t.Error(asked)
	}
	for _, alive := range []bool{true, false} {
		if other = ""; alive {
			other = "{}"
		}
		for _, call := range []string{"rooms", "sockets", "stats"} {
			asked = nil
			body := n.do("POST", call, `{}`).body
			if strings.HasSuffix(body, `,"partial":true}`) != alive || len(asked) != 1 || asked[0] != "/api/stats {}" {
				t.Errorf("%s: %s, asked %q", call, body, asked)
			}
		}
		n.refused("rooms", `{"limit":0}`, "bad_field", "limit")
	}
}

// A process that another one has taken over from has that one answer, errors too.
func TestNewer(t *testing.T) {
	there := false
	n := start(t, nil, func(cfg *Config) {
		cfg.Newer = func(path string, body []byte) (int, []byte, bool) {
			if string(body) == `{"event":"connect"}` {
				return 400, []byte(`{"type":"about:blank","title":"x","status":400,"detail":"d","code":"reserved_event"}`), there
			}
			return 200, []byte(`{"count":7,"exact":true}`), there
		}
	})
	n.want("emit", `{"event":"e"}`, 200, `{"count":0,"exact":false}`)
	there = true
	n.want("emit", `{"event":"e"}`, 200, `{"count":7,"exact":true}`)
	n.refused("emit", `{"event":"connect"}`, "reserved_event", "")
}
