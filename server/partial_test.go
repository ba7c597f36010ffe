package server

import (
	"context"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// attachment returns a binary message as a client's frame.
func attachment(data string) []byte {
	b, err := ws.CompileFrame(ws.MaskFrameInPlace(ws.NewBinaryFrame([]byte(data))))
	if err != nil {
		panic(err)
	}
	return b
}

// The attachments of a packet come in time, all together, or the connection ends.
func TestAttachmentTimeout(t *testing.T) {
	const limit = 10 * time.Second
	header := `52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	for name, test := range map[string]struct {
		cfg    Config
		header []byte
		parts  [][]byte
	}{
		"default parser": {Config{}, packet(header), [][]byte{attachment("a"), attachment("b")}},
		"another parser": {Config{Parser: wordParser{}}, packet("event / e"), [][]byte{packet("1"), packet("end")}},
	} {
		t.Run(name, func(t *testing.T) {
			test.cfg.AttachmentTimeout = limit
			r := newRig(t, test.cfg)
			events := 0
			r.srv.root.On("e", func(context.Context, *Message) { events++ }, Inline())
			c := r.dial()
			if test.cfg.Parser == nil {
				c.Feed(packet("0"))
			} else {
				feed(c, packet("connect / {}"), packet("end"))
			}
			s := r.socket(t)
			advance := func(d time.Duration) {
				r.loop.Advance(d)
				r.loop.run()
			}

			// In time, and then time passes.
			c.Feed(test.header)
			advance(limit - time.Second)
			feed(c, test.parts...)
			if events != 1 || s.client.partial != nil && s.client.partial.Held() != 0 {
				t.Fatalf("%d events", events)
			}
			advance(limit)
			if !s.Connected() {
				t.Fatal("disconnected without a packet that waits")
			}

			// Too late, with progress on the way.
			c.Feed(test.header)
			advance(limit - time.Second)
			c.Feed(test.parts[0])
			if !s.Connected() {
				t.Fatal("disconnected too early")
			}
			advance(2 * time.Second)
			if s.Connected() || s.client.partial != nil {
				t.Error("still there")
			}
		})
	}
}

// Nothing is left of a packet whose connection has gone.
func TestPartialPacketEnds(t *testing.T) {
	r := newRig(t, Config{})
	for _, end := range [][][]byte{{packet("2[\"text between\"]")}, {attachment("a"), attachment("not announced")}, nil} {
		c, s := r.join(t)
		c.Feed(packet(`51-["e",{"_placeholder":true,"num":0}]`))
		if s.client.partial == nil || s.client.partial.Held() == 0 {
			t.Fatal("nothing waits")
		}
		feed(c, end...)
		if end == nil {
			c.PeerClose(nil)
		}
		r.loop.run()
		if s.Connected() || s.client.partial != nil {
			t.Error("still there")
		}
	}
	if _, ok := r.loop.Wheel().Next(); ok {
		t.Error("a timer is left")
	}
}
