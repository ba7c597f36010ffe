package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/wsframe"
)

const offerField = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

var deflateOn = Config{PerMessageDeflate: PerMessageDeflate{Enabled: true}}

// openDeflate opens a WebSocket that offers compression, and wants that answer.
func (r *rig) openDeflate(loop int, sid, answer string, fields ...string) *peer {
	r.t.Helper()
	p := r.dial(loop).write(upgradeRequest(sid, fields...))
	a := p.answer()
	if a == nil || a.StatusCode != 101 || a.Header.Get("Sec-WebSocket-Extensions") != answer {
		r.t.Fatalf("answer %v, extensions %q, want %q", a, a.Header["Sec-Websocket-Extensions"], answer)
	}
	if sid == "" {
		parseOpen(r.t, p.message())
	}
	return p
}

const noTakeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// packedFrame is a compressed frame of a client.
func packedFrame(op ws.OpCode, packed []byte) string {
	out := wsframe.AppendRawHeader(nil, ws.Header{Fin: true, Rsv: 4, OpCode: op, Masked: true, Length: int64(len(packed))})
	return string(append(out, packed...)) // a mask of zeros
}

var clientPacker = deflate.NewCompressor(6, 15)

func packedText(payload string) string {
	return packedFrame(ws.OpText, clientPacker.Append(nil, []byte(payload)))
}

// nextPacked is the next frame with "z" in front when it was compressed.
func (p *peer) nextPacked() string {
	p.rig.t.Helper()
	in := p.pull()
	if len(in) == 0 {
		return ""
	}
	var m wsframe.Message
	n, err := p.ws.Next(in, &wsframe.Limits{Client: true, AllowRSV1: true}, &m)
	if err != nil || n == 0 {
		p.rig.t.Fatalf("no frame (%v): %q", err, in)
	}
	p.in = in[n:]
	data, mark := m.Data, ""
	if m.Compressed {
		if data, err = deflate.Inflate(nil, m.Data, 64<<20, nil); err != nil {
			p.rig.t.Fatal(err)
		}
		mark = "z"
	}
	if m.Kind == wsframe.Close {
		return fmt.Sprintf("close:%d", m.Code)
	}
	return mark + m.Kind.String()[:1] + ":" + string(data)
}

func (p *peer) wantPacked(want ...string) {
	p.rig.t.Helper()
	for i, w := range want {
		if got := p.nextPacked(); got != w {
			p.rig.t.Fatalf("frame %d is %.60q, want %.60q", i, got, w)
		}
	}
	if got := p.nextPacked(); got != "" {
		p.rig.t.Fatalf("one more frame: %.60q", got)
	}
}

// The response to each offer of permessage-deflate in an opening handshake.
func TestDeflateHandshake(t *testing.T) {
	takeover := Config{PerMessageDeflate: PerMessageDeflate{Enabled: true, ClientTakeover: true, ClientMaxWindowBits: 12, ServerMaxWindowBits: 14}}
	for name, tc := range map[string]struct {
		cfg    Config
		offer  string
		answer string
	}{
		"off":               {Config{}, "permessage-deflate", ""},
		"no offer":          {deflateOn, "x-other", ""},
		"browser":           {deflateOn, "permessage-deflate; client_max_window_bits", noTakeover},
		"impossible":        {deflateOn, "permessage-deflate; server_max_window_bits=3", ""},
		"small":             {deflateOn, "permessage-deflate; server_max_window_bits=9", noTakeover + "; server_max_window_bits=9"},
		"takeover":          {takeover, "permessage-deflate; client_max_window_bits", "permessage-deflate; server_no_context_takeover; server_max_window_bits=14; client_max_window_bits=12"},
		"malformed but off": {Config{}, ";;", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, tc.cfg)
			p := r.openDeflate(0, "", tc.answer, "Sec-WebSocket-Extensions: "+tc.offer)
			s := r.last().s
			if got, want := s.Deflates(), tc.answer != ""; got != want || !s.Open() {
				t.Errorf("Deflates %v, Open %v", got, s.Open())
			}
			p.cut()
			r.wantEmpty()
			if got, want := s.Deflates(), tc.answer != ""; got != want || s.Open() {
				t.Errorf("at the end: Deflates %v, Open %v", got, s.Open())
			}
			if n := r.engine.compression.open.Load(); n != 0 || len(r.engine.Shard(0).windows) != 0 {
				t.Errorf("%d connections left, %d windows", n, len(r.engine.Shard(0).windows))
			}
		})
	}
	r := newRig(t, 1, deflateOn)
	r.dial(0).write(upgradeRequest("", "Sec-WebSocket-Extensions: permessage-deflate;;")).want(400, errorBody(eio.BadRequest))
	r.openDeflate(0, "", noTakeover, "Sec-WebSocket-Extensions: permessage-deflate; x", offerField)
}

var long = strings.Repeat("long ", 300) // 1500 bytes

// Messages that are long enough and not plain are sent compressed, attachments too; all recipients share the bytes.
func TestDeflateSend(t *testing.T) {
	for _, loops := range []int{1, 2} {
		r := newRig(t, loops, deflateOn)
		sid := r.poll(loops - 1)
		p := r.openDeflate(0, sid, noTakeover, offerField) // of another loop than its session, with two loops
		p.text("2probe").wantFrames("t:3probe")
		p.text("5")
		plain := r.openWS(0, "")
		packed := r.openDeflate(0, "", noTakeover, offerField)
		small := r.openDeflate(0, "", noTakeover+"; server_max_window_bits=10", offerField+"; server_max_window_bits=10")
		if !r.clients[0].s.Deflates() || r.clients[1].s.Deflates() {
			t.Fatal("who deflates")
		}
		packet := func() *eio.Frame {
			return eio.Link(eio.NewMessage([]byte(long)), eio.NewBinary([]byte("x")), eio.NewBinary([]byte(long)))
		}
		f := packet()
		send := func(f *eio.Frame) {
			for _, c := range r.clients {
				c.s.Shard().Loop().PostFunc(func() { c.s.Send(f, false) })
			}
			r.run()
		}
		r.engine.Deflate(f)
		send(f)
		text, binary := "t:4"+long, "b:"+long
		for _, q := range []*peer{p, packed} {
			q.wantPacked("z"+text, "b:x", "z"+binary)
		}
		for _, q := range []*peer{plain, small} { // the window is smaller than the message
			q.wantPacked(text, "b:x", binary)
		}
		send(eio.Plain(packet()))
		for _, q := range []*peer{p, packed, plain, small} {
			q.wantPacked(text, "b:x", binary)
		}
		edge := strings.Repeat("e", 1022)
		send(eio.NewMessage([]byte(edge)))
		send(eio.NewMessage([]byte(edge + "e")))
		for _, q := range []*peer{p, packed, small} {
			q.wantPacked("t:4"+edge, "zt:4"+edge+"e")
		}
	}
}

// A message that compression does not shorten is sent uncompressed.
func TestDeflateNoise(t *testing.T) {
	r := newRig(t, 1, deflateOn)
	p := r.openDeflate(0, "", noTakeover, offerField)
	noise := make([]byte, 2000)
	x := uint32(1)
	for i := range noise {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	r.loops[0].Do(func() { r.last().s.Send(eio.NewBinary(noise), false) })
	r.run()
	p.wantPacked("b:" + string(noise))
}

// Compressed messages are received on the home loop and on another loop, whole and in fragments, also as the probe.
func TestDeflateReceive(t *testing.T) {
	for _, loops := range []int{1, 2} {
		r := newRig(t, loops, deflateOn).echo()
		sid := r.poll(loops - 1)
		p := r.openDeflate(0, sid, noTakeover, offerField)
		p.write(packedText("2probe")).wantFrames("t:3probe")
		p.write(packedText("5"))
		p.write(packedText("4hello") + textFrame("4plain") + packedFrame(ws.OpBinary, clientPacker.Append(nil, []byte("\xff"))))
		p.wantPacked("t:4hello", "t:4plain", "b:\xff")
		body := clientPacker.Append(nil, []byte("4"+long))
		first := wsframe.AppendRawHeader(nil, ws.Header{Rsv: 4, OpCode: ws.OpText, Masked: true, Length: 10})
		p.write(string(append(first, body[:10]...)))
		p.write(frame(ws.OpPing, "in between"))
		p.write(frame(ws.OpContinuation, string(body[10:])))
		p.wantPacked("p:in between", "zt:4"+long)
		p.write(packedFrame(ws.OpText, nil)) // an empty message has no type
		r.run()
		r.clients[0].wantClosed(ReasonParseError)
	}
}

// The limit applies to the inflated message. A message that cannot be inflated, or is not UTF-8, ends the connection
// with the close code of RFC 6455. RSV1 on other frames, or without negotiation, is a protocol error.
func TestDeflateViolations(t *testing.T) {
	for name, tc := range map[string]struct {
		data string
		code int
	}{
		"bomb":                {packedText("4" + strings.Repeat("0", 5_000_000)), 1009},
		"a byte too long":     {packedText("4" + strings.Repeat("0", DefaultMaxPayload)), 1009},
		"corrupt":             {packedFrame(ws.OpText, []byte("\xff\xff")), 1007},
		"context not allowed": {packedFrame(ws.OpText, []byte("\xf2\x00\x11\x00\x00")), 1007},
		"no UTF-8":            {packedText("4\xff"), 1007},
		"control":             {packedFrame(ws.OpPing, []byte("\x00")), 1002},
		"continuation":        {packedFrame(ws.OpContinuation, []byte("\x00")), 1002},
	} {
		for _, loops := range []int{1, 2} {
			t.Run(fmt.Sprint(name, loops), func(t *testing.T) {
				r := newRig(t, loops, deflateOn).echo()
				sid := r.poll(loops - 1)
				p := r.openDeflate(0, sid, noTakeover, offerField)
				p.text("2probe").text("5").wantFrames("t:3probe")
				p.write(packedText("4good") + tc.data + packedText("4late"))
				p.wantPacked("t:4good", fmt.Sprintf("close:%d", tc.code))
				r.clients[0].wantClosed(ReasonTransportError)
				if !p.isClosed() {
					p.cut()
				}
				r.run()
				r.wantEmpty()
				for i := range loops {
					if c := cap(r.engine.Shard(i).inflated); c > inflatedKeep {
						t.Errorf("shard %d keeps %d bytes", i, c)
					}
				}
			})
		}
	}
	longest := "4" + strings.Repeat("0", DefaultMaxPayload-1)
	r := newRig(t, 1, deflateOn)
	r.openDeflate(0, "", noTakeover, offerField).write(packedText(longest))
	if got := r.last().got; len(got) != 1 || got[0] != longest[1:] {
		t.Errorf("%d messages", len(got))
	}
	r = newRig(t, 1, deflateOn)
	p := r.openWS(0, "").write(packedText("4not negotiated"))
	p.wantFrames("close:1002")
}

// With client context takeover the window lasts until the connection ends.
func TestDeflateClientTakeover(t *testing.T) {
	const answer = "permessage-deflate; server_no_context_takeover; client_max_window_bits=10"
	cfg := Config{PerMessageDeflate: PerMessageDeflate{Enabled: true, ClientTakeover: true, ClientMaxWindowBits: 10}}
	for _, loops := range []int{1, 2} {
		r := newRig(t, loops, cfg)
		sid := r.poll(loops - 1)
		p := r.openDeflate(0, sid, answer, offerField)
		other := r.openDeflate(0, "", answer, offerField)
		stream, its := deflate.NewStream(1, 10), deflate.NewStream(1, 10)
		p.write(packedFrame(ws.OpText, stream.Append(nil, []byte("2probe")))).wantFrames("t:3probe")
		p.write(packedFrame(ws.OpText, stream.Append(nil, []byte("5"))))
		for i := range 20 {
			m := fmt.Sprintf("4%d %s", i, long)
			packed := stream.Append(nil, []byte(m))
			if i > 0 && len(packed) > 60 {
				t.Fatalf("the context saves nothing: %d bytes", len(packed))
			}
			p.write(packedFrame(ws.OpText, packed))
			other.write(packedFrame(ws.OpText, its.Append(nil, []byte("4"+m))))
			for n, c := range r.clients {
				if len(c.got) != i+1 || c.got[i] != m[1-n:] {
					t.Fatalf("message %d of client %d is missing", i, n)
				}
			}
		}
		if n := len(r.engine.Shard(0).windows); n != 2 {
			t.Errorf("%d windows", n)
		}
		p.cut()
		other.cut()
		r.run()
		if n := len(r.engine.Shard(0).windows); n != 0 {
			t.Errorf("%d windows left", n)
		}
	}
}

func TestCompressionConfig(t *testing.T) {
	for _, c := range []Config{
		{PerMessageDeflate: PerMessageDeflate{Threshold: -1}}, {PerMessageDeflate: PerMessageDeflate{Level: 10}},
		{PerMessageDeflate: PerMessageDeflate{ServerMaxWindowBits: 7}}, {PerMessageDeflate: PerMessageDeflate{ClientMaxWindowBits: 16}},
		{HTTPCompression: HTTPCompression{Threshold: -1}}, {HTTPCompression: HTTPCompression{Level: -1}},
	} {
		if err := Check(c); err == nil || !strings.Contains(err.Error(), "out of range") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	c, err := Config{}.settle()
	if err != nil || c.PerMessageDeflate.Enabled || c.HTTPCompression.Disabled || c.PerMessageDeflate.Threshold != 1024 || c.HTTPCompression.Threshold != 1024 {
		t.Error(c.PerMessageDeflate, c.HTTPCompression, err)
	}
}
