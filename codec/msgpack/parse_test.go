package msgpack

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// event wraps the bytes of one argument, in hex, into an event with the name "e".
func event(arg string) string { return "83a47479706502a46461746192a165" + arg + "a36e7370a12f" }

// Every form of a MessagePack value.
func TestValues(t *testing.T) {
	for _, test := range []struct{ arg, want string }{
		{"c0", "null"}, {"c2", "false"}, {"c3", "true"},
		// Integers in all widths, those that would fit into less too.
		{"00", "0"}, {"7f", "127"}, {"e0", "-32"}, {"ff", "-1"}, {"cc00", "0"}, {"ccff", "255"}, {"cd0001", "1"}, {"cdffff", "65535"},
		{"ce00000001", "1"}, {"ceffffffff", "4294967295"}, {"cf0000000000000001", "1"}, {"cfffffffffffffffff", "18446744073709551615"},
		{"cf0020000000000001", "9007199254740993"},
		{"d07f", "127"}, {"d080", "-128"}, {"d18000", "-32768"}, {"d17fff", "32767"}, {"d280000000", "-2147483648"},
		{"d38000000000000000", "-9223372036854775808"}, {"d3ffffffffffffffff", "-1"}, {"d37fffffffffffffff", "9223372036854775807"},
		{"ca3f800000", "1"}, {"ca3dcccccd", "0.10000000149011612"}, {"ca7f800000", "null"}, {"ca7fc00000", "null"}, {"ca80000000", "-0"},
		{"cb3ff0000000000000", "1"}, {"cb3fb999999999999a", "0.1"}, {"cb8000000000000000", "-0"}, {"cb7ff0000000000000", "null"},
		{"cb7ff8000000000000", "null"}, {"cb444b1ae4d6e2ef50", "1e+21"}, {"cb3e7ad7f29abcaf48", "1e-7"}, {"cb43e0000000000000", "9223372036854776000"},
		{"cb0000000000000001", "5e-324"}, {"cb7fefffffffffffff", "1.7976931348623157e+308"},
		{"a0", `""`}, {"a178", `"x"`}, {"d90178", `"x"`}, {"da000178", `"x"`}, {"db0000000178", `"x"`},
		{"a7085c22090a0d0c", `"\b\\\"\t\n\r\f"`}, {"a3007f1f", "\"\\u0000\x7f\\u001f\""}, {"a6e280a8e280a9", "\"\u2028\u2029\""},
		// Text that is not UTF-8: single bytes, a lone surrogate, something too long, something cut off.
		{"a1ff", "\"\uFFFD\""}, {"a361ff62", "\"a\uFFFDb\""}, {"a3eda080", "\"\uFFFD\uFFFD\uFFFD\""}, {"a2c080", "\"\uFFFD\uFFFD\""}, {"a2e282", "\"\uFFFD\uFFFD\""},
		{"90", "[]"}, {"9101", "[1]"}, {"dc000101", "[1]"}, {"dd0000000101", "[1]"}, {"80", "{}"}, {"81a16101", `{"a":1}`},
		{"de0001a16101", `{"a":1}`}, {"df00000001a16101", `{"a":1}`}, {"82a16101a16102", `{"a":1,"a":2}`},
		{"81a95f5f70726f746f5f5f01", `{"__proto__":1}`},
		// Names that are no text.
		{"810102", `{"1":2}`}, {"81ff02", `{"-1":2}`}, {"81c002", `{"null":2}`}, {"81c202", `{"false":2}`}, {"81c302", `{"true":2}`},
		{"81d4000002", `{"undefined":2}`}, {"81cb3ff800000000000002", `{"1.5":2}`}, {"81cb7ff800000000000002", `{"NaN":2}`},
		{"81cbfff000000000000002", `{"-Infinity":2}`}, {"81cb7ff000000000000002", `{"Infinity":2}`}, {"81cb800000000000000002", `{"0":2}`},
		{"81cf002000000000000102", `{"9007199254740992":2}`}, {"81c4016102", `{"a":2}`}, {"81a1ff02", "{\"\uFFFD\":2}"},
		// Binary data, and the extension types.
		{"c40101", ph(0)}, {"c5000101", ph(0)}, {"c60000000101", ph(0)}, {"c400", ph(0)}, {"c7010001", ph(0)}, {"c800010001", ph(0)},
		{"c9000000010001", ph(0)}, {"d40000", "null"}, {"c70300010203", ph(0)},
		{"d40105", "[1," + ph(0) + "]"}, {"d5ff0506", "[-1," + ph(0) + "]"}, {"d60001020304", "[0," + ph(0) + "]"},
		{"d70101020304050607" + "08", "[1," + ph(0) + "]"}, {"d800" + strings.Repeat("01", 16), "[0," + ph(0) + "]"}, {"c7020a0101", "[10," + ph(0) + "]"},
		{"d70000000000000003e8", `"1970-01-01T00:00:01.000Z"`}, {"d7007fffffffffffffff", "null"}, {"d7008000000000000000", "null"},
		{"81a161d70000000000000003e8", `{"a":"1970-01-01T00:00:01.000Z"}`}, {"81a161d40000", `{}`}, {"82a161d40000a16201", `{"b":1}`},
	} {
		var p Packet
		err := Parse(unhex(t, event(test.arg)), nil, &p)
		if want := `["e",` + test.want + `]`; err != nil || string(p.Data) != want {
			t.Errorf("%s: got %s, %v; want %s", test.arg, p.Data, err, want)
		}
	}
}

func ph(n int) string { return fmt.Sprintf(`{"_placeholder":true,"num":%d}`, n) }

// Messages that are not packets, with the error for each.
func TestMalformed(t *testing.T) {
	const nsp, typ, data = "a36e7370a12f", "a47479706502", "a46461746191a165"
	for _, test := range []struct {
		message string
		err     error
	}{
		{"", errShort}, {"c1", errByte}, {"01", errNotMap}, {"a0", errNotMap}, {"90", errNotMap}, {"c0", errNotMap}, {"80", errType},
		{"82" + typ + data, errNamespace}, {"82" + nsp + data, errType}, {"82" + typ + nsp, errData},
		{"83" + typ + nsp + data + "00", errTrailing}, {"84" + typ + nsp + data, errShort},
		{"de0003" + typ + nsp, errShort}, {"dfffffffff", errShort}, {"df7fffffff", errShort}, {"deffff" + typ, errShort},
		// The type.
		{"83a47479706505" + nsp + data, errType}, {"83a474797065ff" + nsp + data, errType}, {"83a474797065a132" + nsp + data, errType},
		{"83a474797065cb4000cccccccccccd" + nsp + data, errType}, {"83a474797065c0" + nsp + data, errType}, {"83a474797065d40000" + nsp + data, errType},
		{"83a474797065cb7ff8000000000000" + nsp + data, errType}, {"83a474797065cfffffffffffffffff" + nsp + data, errType},
		// The namespace.
		{"83" + typ + "a36e737001" + data, errNamespace}, {"83" + typ + "a36e7370c0" + data, errNamespace}, {"83" + typ + "a36e7370c4012f" + data, errNamespace},
		{"83" + typ + "a36e7370d40000" + data, errNamespace},
		// The id.
		{"84" + typ + nsp + data + "a26964ff", errID}, {"84" + typ + nsp + data + "a26964c0", errID}, {"84" + typ + nsp + data + "a26964a131", errID},
		{"84" + typ + nsp + data + "a26964cb3ff8000000000000", errID}, {"84" + typ + nsp + data + "a26964cf0020000000000000", errID},
		{"84" + typ + nsp + data + "a26964d38000000000000000", errID}, {"84" + typ + nsp + data + "a26964cbfff0000000000000", errID},
		// The highest id, 2^53-1, and the next one, as an integer and as a float.
		{"84" + typ + nsp + data + "a26964cf001fffffffffffff", nil}, {"84" + typ + nsp + data + "a26964cb433fffffffffffff", nil},
		{"84" + typ + nsp + data + "a26964cb4340000000000000", errID},
		// The payload.
		{"83" + typ + nsp + "a46461746180", errData}, {"83" + typ + nsp + "a464617461c0", errData}, {"83" + typ + nsp + "a464617461d40000", errData},
		{"83" + typ + nsp + "a464617461a165", errData}, {"83" + typ + nsp + "a464617461c40165", errData},
		{"83a47479706500" + nsp + "a46461746190", errData}, {"83a47479706500" + nsp + "a464617461c400", errData}, {"83a47479706500" + nsp + "a464617461c0", errData},
		{"83a47479706500" + nsp + "a464617461d70000000000000003e8", errData},
		{"83a47479706501" + nsp + "a46461746180", errData}, {"82a47479706504" + nsp, errData}, {"83a47479706504" + nsp + "a46461746101", errData},
		{"83a47479706503" + nsp + "a46461746180", errData},
		// Values.
		{event("c1"), errByte}, {event("819000"), errName}, {event("818000"), errName}, {event("81d7000000000000000000c0"), errName},
		{event("81d4010000"), errName}, {"83" + typ + data + "a36e7370a52f", errShort},
		{event("92" + "c40101" + "82ac5f706c616365686f6c646572c3a36e756d00"), errPlaceholder},
		{event("92" + "81ac5f706c616365686f6c646572c3" + "c400"), errPlaceholder},
		{event("81ac5f706c616365686f6c646572c3"), nil}, {event("92c40081ac5f706c616365686f6c646572c2"), nil},
		{event("92c40082ac5f706c616365686f6c646572c3ac5f706c616365686f6c646572c0"), nil}, {event("92c40081c40c5f706c616365686f6c646572c3"), errPlaceholder},
		// A member that is not known is read, and dropped with all that is in it.
		{"84" + "a17881ac5f706c616365686f6c646572c3" + typ + nsp + "a46461746192a165c400", nil},
		{"84" + "a178c1" + typ + nsp + data, errByte},
		// The last of several counts.
		{"84" + "a46461746192a165c400" + typ + nsp + data, nil}, {"84" + typ + nsp + data + "a464617461c0", errData},
		{"84" + typ + nsp + data + "a26964d40000", nil}, {"84" + typ + nsp + data + "a26964cb4008000000000000", nil},
	} {
		var p Packet
		err := Parse(unhex(t, test.message), nil, &p)
		if !errors.Is(err, test.err) || err != nil && !errors.Is(err, ErrPacket) {
			t.Errorf("%s: got %v, want %v", test.message, err, test.err)
		}
	}
}

// No prefix of a message is a packet, and the parser does not read beyond the end.
func TestCutOff(t *testing.T) {
	for _, test := range written {
		message := unhex(t, test.message)
		for i := range message {
			var p Packet
			if err := Parse(message[:i:i], nil, &p); !errors.Is(err, ErrPacket) {
				t.Fatalf("%s: %d bytes give %v", test.name, i, err)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	nested := func(n int) string { return event(strings.Repeat("91", n) + "c0") }
	blobs := func(n int) string { return event(fmt.Sprintf("dc%04x", n) + strings.Repeat("c40101", n)) }
	lim := &Limits{Attachments: 3, AttachmentBytes: 10, Depth: 5}
	for _, test := range []struct {
		name, message string
		lim           *Limits
		ok            bool
	}{
		{"depth", nested(4), lim, true}, {"too deep", nested(5), lim, false},
		{"default depth", nested(DefaultDepth - 1), nil, true}, {"too deep", nested(DefaultDepth), nil, false},
		{"too deep in maps", event(strings.Repeat("81a161", 5) + "c0"), lim, false},
		{"too deep in what is dropped", "81a178" + strings.Repeat("91", 6) + "c0", lim, false},
		{"far too deep", nested(100_000), nil, false},
		{"binary values", blobs(3), lim, true}, {"too many", blobs(4), lim, false},
		{"default number", blobs(DefaultAttachments), nil, true}, {"too many", blobs(DefaultAttachments + 1), nil, false},
		{"too many of a type", event("94" + strings.Repeat("d40101", 4)), lim, false},
		{"size", event("92c40501010101" + "01c4050101010101"), lim, true}, {"too large", event("92c40501010101" + "01c406010101010101"), lim, false},
	} {
		var p Packet
		err := Parse(unhex(t, test.message), test.lim, &p)
		if (err == nil) != test.ok || !test.ok && !(errors.Is(err, ErrLimit) && errors.Is(err, ErrPacket)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// Announced lengths cost no memory.
func TestAnnounced(t *testing.T) {
	for _, head := range []string{"ddffffffff", "dd7fffffff", "df7fffffff", "db7fffffff", "c67fffffff", "c97fffffff00", "dcffff", "deffff"} {
		message := unhex(t, "83a47479706502a36e7370a12fa464617461"+head)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			var p Packet
			if err := Parse(message, nil, &p); !errors.Is(err, errShort) {
				t.Fatalf("%s: %v", head, err)
			}
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 100*1024 {
			t.Errorf("%s: %d bytes for 100 messages", head, grown)
		}
	}
}

// The packet shares no memory with the message.
func TestOwned(t *testing.T) {
	message := unhex(t, event("93a3616263c403010203a178"))
	var p Packet
	if err := Parse(message, nil, &p); err != nil {
		t.Fatal(err)
	}
	clear(message)
	if string(p.Data) != `["e",["abc",`+ph(0)+`,"x"]]` || string(p.Attachments[0]) != "\x01\x02\x03" || p.Namespace != "/" {
		t.Errorf("%s %v %q", p.Data, p.Attachments, p.Namespace)
	}
}
