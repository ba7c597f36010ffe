package main

import (
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// TestDrawing shows that everybody but its sender gets a stroke, as it was sent.
func TestDrawing(t *testing.T) {
	ts := servertest.New(t, server.Config{})
	server.On1(ts.Of("/"), "drawing", drawing)
	ann, bob, cleo := ts.Client(), ts.Client(), ts.Client()
	for _, stroke := range []map[string]any{
		{"x0": 0.25, "y0": 0.5, "x1": 0.75, "y1": 0.5, "color": "black"},
		{"x0": 0.75, "y0": 0.5, "x1": 0.75, "y1": 1, "color": "red"},
	} {
		ann.Emit("drawing", stroke)
		bob.Expect("drawing", stroke)
		cleo.Expect("drawing", stroke)
	}
	for _, c := range []*servertest.Client{ann, bob, cleo} {
		c.ExpectNothing()
	}
}
