package wsframe

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// The tables follow sections 1 to 7 of the Autobahn test suite. Each case has what
// a client sends and how a server must respond.

type autobahnCase struct {
	name   string
	stream []byte
	want   outcome
}

func runAutobahn(t *testing.T, cases []autobahnCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := c.want
			want.taken = len(c.stream)
			if want.failure != 0 {
				want.taken = -1
			}
			expect(t, c.stream, nil, want)
		})
	}
}

func delivers(events ...event) outcome { return outcome{events: events} }

func fails(code ws.StatusCode, before ...event) outcome {
	return outcome{events: before, failure: code}
}

func TestAutobahn1Framing(t *testing.T) {
	var cases []autobahnCase
	for _, size := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		s := strings.Repeat("*", size)
		b := strings.Repeat("\xfe", size)
		cases = append(cases,
			autobahnCase{fmt.Sprintf("1.1 text of %d", size), frame(ws.OpText, true, s), delivers(text(s))},
			autobahnCase{fmt.Sprintf("1.2 binary of %d", size), frame(ws.OpBinary, true, b), delivers(bin(b))})
	}
	runAutobahn(t, cases)
}

func TestAutobahn2Pings(t *testing.T) {
	b125 := strings.Repeat("\xfe", 125)
	many, pings := []byte(nil), []event(nil)
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		many = append(many, frame(ws.OpPing, true, payload)...)
		pings = append(pings, ping(payload))
	}
	runAutobahn(t, []autobahnCase{
		{"2.1 empty ping", frame(ws.OpPing, true, ""), delivers(ping(""))},
		{"2.2 ping with text", frame(ws.OpPing, true, "Hello, world!"), delivers(ping("Hello, world!"))},
		{"2.3 ping with bytes", frame(ws.OpPing, true, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), delivers(ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"))},
		{"2.4 ping of 125", frame(ws.OpPing, true, b125), delivers(ping(b125))},
		{"2.5 ping of 126", frame(ws.OpPing, true, b125+"x"), fails(1002)},
		{"2.7 pong not asked for", frame(ws.OpPong, true, ""), delivers(pong(""))},
		{"2.8 pong with payload", frame(ws.OpPong, true, "unsolicited"), delivers(pong("unsolicited"))},
		{"2.9 pong, then ping", join(frame(ws.OpPong, true, "a"), frame(ws.OpPing, true, "b")), delivers(pong("a"), ping("b"))},
		{"2.10 ten pings", many, delivers(pings...)},
	})
}

func TestAutobahn3ReservedBits(t *testing.T) {
	ok := frame(ws.OpText, true, "ok")
	var cases []autobahnCase
	for rsv := byte(1); rsv <= 7; rsv++ {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary, ws.OpPing, ws.OpPong, ws.OpClose} {
			for _, payload := range []string{"", "Hello, world!"} {
				cases = append(cases, autobahnCase{
					fmt.Sprintf("3 rsv %d opcode %d of %d", rsv, op, len(payload)),
					join(ok, raw(op, true, rsv, payload), frame(ws.OpPing, true, "")),
					fails(1002, text("ok")),
				})
			}
		}
		cases = append(cases, autobahnCase{
			fmt.Sprintf("3 rsv %d continuation", rsv),
			join(frame(ws.OpText, false, "a"), raw(ws.OpContinuation, true, rsv, "b")),
			fails(1002),
		})
	}
	runAutobahn(t, cases)
}

// With permessage-deflate, RSV1 is allowed on the first frame of a data message
// only (RFC 7692 section 6).
func TestAutobahn3ReservedBitsWithDeflate(t *testing.T) {
	lim := &Limits{AllowRSV1: true}
	for rsv := byte(1); rsv <= 7; rsv++ {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary, ws.OpPing, ws.OpPong, ws.OpClose} {
			want := fails(1002)
			if rsv == rsv1 && !op.IsControl() {
				want = outcome{events: []event{{kind: kindOf(op), data: "\xff", compressed: true}}, taken: 7}
			}
			expect(t, raw(op, true, rsv, "\xff"), lim, want)
		}
		expect(t, join(raw(ws.OpText, false, rsv1, "a"), raw(ws.OpContinuation, true, rsv, "b")), lim,
			outcome{failure: 1002, taken: 7})
	}
	// Text without RSV1 is still validated.
	expect(t, frame(ws.OpText, true, "\xff"), lim, outcome{failure: 1007})
	// So is the text message that follows a compressed one.
	expect(t, join(raw(ws.OpText, false, rsv1, "\xff"), frame(ws.OpContinuation, true, "\xff"),
		frame(ws.OpText, false, "a"), frame(ws.OpContinuation, true, "\xff")), lim,
		outcome{events: []event{{kind: Text, data: "\xff\xff", compressed: true}}, failure: 1007, taken: 21})
}

func TestAutobahn4OpCodes(t *testing.T) {
	var cases []autobahnCase
	for _, op := range []ws.OpCode{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		for _, payload := range []string{"", "reserved opcode payload"} {
			for _, fin := range []bool{true, false} {
				cases = append(cases,
					autobahnCase{fmt.Sprintf("4 opcode %d of %d fin %v", op, len(payload), fin),
						join(frame(op, fin, payload), frame(ws.OpPing, true, "")), fails(1002)},
					autobahnCase{fmt.Sprintf("4 opcode %d of %d fin %v after text", op, len(payload), fin),
						join(frame(ws.OpText, true, "Hello"), frame(op, fin, payload)), fails(1002, text("Hello"))},
					autobahnCase{fmt.Sprintf("4 opcode %d of %d fin %v inside text", op, len(payload), fin),
						join(frame(ws.OpText, false, "Hello"), frame(op, fin, payload)), fails(1002)})
			}
		}
	}
	runAutobahn(t, cases)
}

func TestAutobahn5Fragmentation(t *testing.T) {
	const a, b, c = "fragment1", "fragment2", "fragment3"
	start := func(s string) []byte { return frame(ws.OpText, false, s) }
	more := func(s string) []byte { return frame(ws.OpContinuation, false, s) }
	end := func(s string) []byte { return frame(ws.OpContinuation, true, s) }
	single := func(s string) []byte { return frame(ws.OpText, true, s) }
	pinged := func(s string) []byte { return frame(ws.OpPing, true, s) }
	runAutobahn(t, []autobahnCase{
		{"5.1 ping in two frames", join(frame(ws.OpPing, false, a), end(b)), fails(1002)},
		{"5.2 pong in two frames", join(frame(ws.OpPong, false, a), end(b)), fails(1002)},
		{"5.2 close in two frames", join(frame(ws.OpClose, false, ""), end("")), fails(1002)},
		{"5.3 text in two frames", join(start(a), end(b)), delivers(text(a + b))},
		{"5.3 binary in two frames", join(frame(ws.OpBinary, false, "\xff"), end("\xfe")), delivers(bin("\xff\xfe"))},
		{"5.6 ping between", join(start(a), pinged("ping"), end(b)), delivers(ping("ping"), text(a+b))},
		{"5.6 close between", join(start(a), closeFrame(1000, ""), end(b)), delivers(closing(1000, ""), text(a+b))},
		{"5.9 continuation first", join(end("x"), single("Hello")), fails(1002)},
		{"5.12 open continuation first", join(more("x"), single("Hello")), fails(1002)},
		{"5.15 continuation after a message", join(start(a), end(b), more(c), single("x")), fails(1002, text(a+b))},
		{"5.16 continuation, then text", join(more(a), start(b), end(c), more(a), start(b), end(c)), fails(1002)},
		{"5.17 final continuation, then text", join(end(a), start(b), end(c)), fails(1002)},
		{"5.18 text inside text", join(start(a), single(b)), fails(1002)},
		{"5.18 binary inside text", join(start(a), frame(ws.OpBinary, true, b)), fails(1002)},
		{"5.18 open text inside text", join(start(a), start(b), end(c)), fails(1002)},
		{"5.19 pings between five", join(start("1"), more("2"), pinged("p1"), more("3"), more("4"), pinged("p2"), end("5")),
			delivers(ping("p1"), ping("p2"), text("12345"))},
		{"5.19 two messages", join(start("1"), more("2"), end("3"), start("4"), end("5")), delivers(text("123"), text("45"))},
	})
}

func TestAutobahn6UTF8(t *testing.T) {
	const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
	const edited = "edited"
	start := func(s string) []byte { return frame(ws.OpText, false, s) }
	more := func(s string) []byte { return frame(ws.OpContinuation, false, s) }
	end := func(s string) []byte { return frame(ws.OpContinuation, true, s) }
	cases := []autobahnCase{
		{"6.1.2 three empty", join(start(""), more(""), end("")), delivers(text(""))},
		{"6.1.3 middle not empty", join(start(""), more("middle frame payload"), end("")), delivers(text("middle frame payload"))},
		{"6.2.2 cut between runes", join(start("Hello-µ@ßöä"), end("üàá-UTF-8!!")), delivers(text("Hello-µ@ßöäüàá-UTF-8!!"))},
		// The first invalid fragment is not consumed.
		{"6.4.1 bad second fragment", join(start(greek), more("\xf4\x90\x80\x80"), end(edited)),
			outcome{failure: 1007, taken: 6 + len(greek)}},
		{"6.4.2 bad on the second byte", join(start(greek+"\xf4"), more("\x90"), end("\x80\x80"+edited)),
			outcome{failure: 1007, taken: 6 + len(greek) + 1}},
		{"6.4 unfinished at the end", join(start(greek), end("\xf4\x80")), fails(1007)},
		{"6.4 unfinished and empty end", join(start("\xf4\x8f\xbf"), end("")), fails(1007)},
		{"6.4 ping between bytes of a rune", join(start("\xf4\x8f"), frame(ws.OpPing, true, "\xff"), end("\xbf\xbf")),
			delivers(ping("\xff"), text("\U0010ffff"))},
		{"6.4 message after a rune", join(start("\xce"), end("\xba"), frame(ws.OpText, true, "\xba")), fails(1007, text("κ"))},
		{"6 binary is not checked", join(frame(ws.OpBinary, false, "\xff"), end("\xff"), frame(ws.OpBinary, true, "\xff")),
			delivers(bin("\xff\xff"), bin("\xff"))},
	}
	for _, c := range texts { // 6.3, 6.5 to 6.23
		want := fails(1007)
		if c.ok {
			want = delivers(text(c.s))
		}
		var bytewise [][]byte
		for i := range len(c.s) {
			bytewise = append(bytewise, more(c.s[i:i+1]))
		}
		octets := join(start(""), join(bytewise...), end(""))
		cases = append(cases,
			autobahnCase{"6 " + c.name, frame(ws.OpText, true, c.s), want},
			autobahnCase{"6 " + c.name + " in octets", octets, want})
	}
	runAutobahn(t, cases)
	for _, c := range cases { // the place of the failure
		if c.want.taken != 0 {
			expect(t, c.stream, nil, c.want)
		}
	}
}

func TestAutobahn7Close(t *testing.T) {
	r123 := strings.Repeat("*", 123)
	cases := []autobahnCase{
		{"7.1 text, then close", join(frame(ws.OpText, true, "Hello"), closeFrame(1000, "")), delivers(text("Hello"), closing(1000, ""))},
		{"7.3.1 empty", frame(ws.OpClose, true, ""), delivers(closing(1005, ""))},
		{"7.3.2 one byte", frame(ws.OpClose, true, "a"), fails(1002)},
		{"7.3.3 code only", closeFrame(1000, ""), delivers(closing(1000, ""))},
		{"7.3.4 reason", closeFrame(1000, "Hello World!"), delivers(closing(1000, "Hello World!"))},
		{"7.3.5 reason of 123", closeFrame(1000, r123), delivers(closing(1000, r123))},
		{"7.3.6 reason of 124", closeFrame(1000, r123+"*"), fails(1002)},
		{"7.5.1 reason not UTF-8", closeFrame(1000, "κόσμε\xed\xa0\x80edited"), fails(1007)},
		{"7.5.1 reason cut in a rune", closeFrame(1000, "\xce"), fails(1007)},
	}
	for _, code := range []ws.StatusCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		cases = append(cases, autobahnCase{fmt.Sprintf("7.7 code %d", code), closeFrame(code, "r"), delivers(closing(code, "r"))})
	}
	for _, code := range []ws.StatusCode{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases,
			autobahnCase{fmt.Sprintf("7.9 code %d", code), closeFrame(code, ""), fails(1002)},
			autobahnCase{fmt.Sprintf("7.9 code %d with reason", code), closeFrame(code, "r"), fails(1002)})
	}
	runAutobahn(t, cases)
}

// Lengths that are not minimal are refused before the payload arrives.
func TestLengthEncodingIsChecked(t *testing.T) {
	for _, header := range [][]byte{
		{0x81, 0x80 | 126, 0, 5, 0, 0, 0, 0},
		{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0},
		{0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0},
		{0x89, 0x80 | 126, 0, 5, 0, 0, 0, 0},
	} {
		expect(t, header, nil, outcome{failure: 1002})
		expect(t, append(bytes.Clone(header), "Hello"...), nil, outcome{failure: 1002})
	}
}
