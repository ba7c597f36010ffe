package msgpack

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"
)

// written are packets and their encoding by socket.io-msgpack-parser 3.0.2 (notepack.io 2.2.0).
var written = []struct {
	name    string
	packet  Packet
	message string
}{
	{"connect", Packet{Type: Connect, Namespace: "/", Data: []byte(`{"sid":"abc"}`)},
		`83a47479706500a46461746181a3736964a3616263a36e7370a12f`},
	{"connect without data", Packet{Type: Connect, Namespace: "/"},
		`82a47479706500a36e7370a12f`},
	{"refusal", Packet{Type: ConnectError, Namespace: "/admin", Data: []byte(`{"message":"no","data":{"code":401}}`)},
		`83a47479706504a46461746182a76d657373616765a26e6fa46461746181a4636f6465cd0191a36e7370a62f61646d696e`},
	{"refusal as text", Packet{Type: ConnectError, Namespace: "/", Data: []byte(`"no"`)},
		`83a47479706504a464617461a26e6fa36e7370a12f`},
	{"disconnect", Packet{Type: Disconnect, Namespace: "/x"},
		`82a47479706501a36e7370a22f78`},
	{"event", Packet{Type: Event, Namespace: "/", Data: []byte(`["e"]`)},
		`83a47479706502a46461746191a165a36e7370a12f`},
	{"event with an id", Packet{Type: Event, Namespace: "/", ID: 300, HasID: true, Data: []byte(`["e",1]`)},
		`84a47479706502a46461746192a16501a26964cd012ca36e7370a12f`},
	{"acknowledgement", Packet{Type: Ack, Namespace: "/", ID: 7, HasID: true, Data: []byte(`[]`)},
		`84a2696407a47479706503a46461746190a36e7370a12f`},
	{"acknowledgement with arguments", Packet{Type: Ack, Namespace: "/long-name", ID: 70000, HasID: true, Data: []byte(`[null,true,false]`)},
		`84a26964ce00011170a47479706503a46461746193c0c3c2a36e7370aa2f6c6f6e672d6e616d65`},
	{"integers", Packet{Type: Event, Namespace: "/", Data: []byte(`["n",0,1,127,128,255,256,65535,65536,4294967295,4294967296,9007199254740991,-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,-9007199254740991]`)},
		`83a47479706502a464617461dc0016a16e00017fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000cf001fffffffffffffffe0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffffd3ffe0000000000001a36e7370a12f`},
	{"fractions", Packet{Type: Event, Namespace: "/", Data: []byte(`["n",1.5,-0.1,1e-7,5e-324,10000000000000000000]`)},
		`83a47479706502a46461746196a16ecb3ff8000000000000cbbfb999999999999acb3e7ad7f29abcaf48cb0000000000000001cf8ac7230489e80000a36e7370a12f`},
	{"text", Packet{Type: Event, Namespace: "/", Data: []byte(`["t","","é","日本","😀","a\u0000\"\\\n","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]`)},
		`83a47479706502a46461746198a174a0a2c3a9a6e697a5e69caca4f09f9880a56100225c0abf78787878787878787878787878787878787878787878787878787878787878d9207878787878787878787878787878787878787878787878787878787878787878a36e7370a12f`},
	{"binary", Packet{Type: Event, Namespace: "/", Data: []byte(`["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"deep":[{"_placeholder":true,"num":2}]}]`), Attachments: [][]byte{{}, {1, 2}, {255}}},
		`83a47479706502a46461746194a162c400c402010281a46465657091c401ffa36e7370a12f`},
	{"objects", Packet{Type: Event, Namespace: "/", Data: []byte(`["o",{},{"a":{"b":[[],[1,[2]]]}},[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14],[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15],{"k0":0,"k1":1,"k2":2}]`)},
		`83a47479706502a46461746196a16f8081a16181a1629290920191029f000102030405060708090a0b0c0d0edc0010000102030405060708090a0b0c0d0e0f83a26b3000a26b3101a26b3202a36e7370a12f`},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Packets are encoded byte for byte as by the reference, and parsed back unchanged.
func TestGolden(t *testing.T) {
	for _, test := range written {
		t.Run(test.name, func(t *testing.T) {
			want := unhex(t, test.message)
			got, err := Append([]byte("before"), &test.packet)
			if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("got %x, %v; want %x", got, err, want)
			}
			var p Packet
			if err := Parse(want, nil, &p); err != nil {
				t.Fatal(err)
			}
			if !samePacket(&p, &test.packet) {
				t.Errorf("got %+v (%s), want %+v (%s)", p, p.Data, test.packet, test.packet.Data)
			}
		})
	}
}

func samePacket(a, b *Packet) bool {
	if len(a.Attachments) != len(b.Attachments) {
		return false
	}
	for i := range a.Attachments {
		if !bytes.Equal(a.Attachments[i], b.Attachments[i]) {
			return false
		}
	}
	return a.Type == b.Type && a.Namespace == b.Namespace && a.ID == b.ID && a.HasID == b.HasID && bytes.Equal(a.Data, b.Data)
}

// read are messages of the same package, encoded as by a client, with their payload.
var read = []struct {
	name, message string
	typ           Type
	data          string
	attachments   [][]byte
}{
	{"client event with options", `85a47479706502a46461746192a165a178a76f7074696f6e7381a8636f6d7072657373c3a2696400a36e7370a12f`, Event, `["e","x"]`, nil},
	{"client connect", `83a47479706500a464617461d40000a36e7370a12f`, Connect, ``, nil},
	{"client connect with auth", `83a47479706500a46461746181a5746f6b656ea174a36e7370a22f61`, Connect, `{"token":"t"}`, nil},
	{"undefined", `83a47479706502a46461746194a165d4000083a161d40000a16201a163d4000091d40000a36e7370a12f`, Event, `["e",null,{"b":1},[null]]`, nil},
	{"dates", `83a47479706502a46461746197a165d7000000000000000000d700ffffffffffffffffd7000000011f71fb04cbd700001eb208c2dc0000d700ffe14df73d240000d700ffffc76e394a7400a36e7370a12f`, Event, `["e","1970-01-01T00:00:00.000Z","1969-12-31T23:59:59.999Z","2009-02-13T23:31:30.123Z","+275760-09-13T00:00:00.000Z","-271821-04-20T00:00:00.000Z","-000001-01-01T00:00:00.000Z"]`, nil},
	{"typed arrays", `83a47479706502a46461746194a165c702000102c70000c7040001000200a36e7370a12f`, Event, `["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]`, [][]byte{{1, 2}, {}, {1, 0, 2, 0}}},
	{"not finite", `83a47479706502a46461746195a165cb7ff8000000000000cb7ff0000000000000cbfff000000000000000a36e7370a12f`, Event, `["e",null,null,null,0]`, nil},
	{"lookalike without binary", `83a47479706502a46461746192a16582ac5f706c616365686f6c646572c3a36e756d00a36e7370a12f`, Event, `["e",{"_placeholder":true,"num":0}]`, nil},
}

// Messages as clients send them.
func TestRead(t *testing.T) {
	for _, test := range read {
		t.Run(test.name, func(t *testing.T) {
			var p Packet
			if err := Parse(unhex(t, test.message), nil, &p); err != nil {
				t.Fatal(err)
			}
			if p.Type != test.typ || string(p.Data) != test.data {
				t.Errorf("got type %d, %s; want %d, %s", p.Type, p.Data, test.typ, test.data)
			}
			if !reflect.DeepEqual(p.Attachments, test.attachments) {
				t.Errorf("attachments %v, want %v", p.Attachments, test.attachments)
			}
		})
	}
}
