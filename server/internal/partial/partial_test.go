package partial

import (
	"errors"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/parser"
)

// owner counts what it is told.
type owner struct{ late, evicted int }

func (o *owner) Late()  { o.late++ }
func (o *owner) Evict() { o.evicted++ }

const limit = 10 * time.Second

// begin begins a packet with two attachments.
func begin(t *testing.T, o *owner, l *pollertest.Loop) (*Packet, *sio.Limits) {
	t.Helper()
	limits := sio.Limits{AttachmentBytes: 100}
	limits = limits.Effective()
	text := []byte(`52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	var packet sio.Packet
	if err := sio.Parse(text, &limits, &packet); err != nil {
		t.Fatal(err)
	}
	p := Begin(o, l, limit, text, &packet)
	clear(text) // it was copied
	return p, &limits
}

// TestAttachments shows that a packet is whole with its last attachment, and that nothing is left of it.
func TestAttachments(t *testing.T) {
	for range 2 { // the second packet may use the memory of the first
		l, o := pollertest.NewLoop(0), new(owner)
		p, limits := begin(t, o, l)
		if _, _, done, err := p.Add([]byte("a"), limits); done || err != nil || p.Held() == 0 {
			t.Fatal(done, err, p.Held())
		}
		packet, attachments, done, err := p.Add([]byte("b"), limits)
		if !done || err != nil || string(packet.Event) != "e" || len(attachments) != 2 || string(attachments[1]) != "b" {
			t.Fatal(done, err, packet, attachments)
		}
		p.Drop()
		l.Advance(2 * limit)
		if l.Wheel().Len() != 0 || o.late != 0 {
			t.Error("something is left")
		}
	}
}

// TestLate shows that the time counts from the first message, whatever arrives meanwhile.
func TestLate(t *testing.T) {
	l, o := pollertest.NewLoop(0), new(owner)
	p, limits := begin(t, o, l)
	l.Advance(limit - time.Second)
	if _, _, _, err := p.Add([]byte("a"), limits); err != nil || o.late != 0 {
		t.Fatal(err, o.late)
	}
	l.Advance(2 * time.Second)
	if o.late != 1 {
		t.Error("the owner was not told")
	}
	if p.Evict(); o.evicted != 1 {
		t.Error("the owner was not evicted")
	}
	p.Drop()
}

// TestTooMuch shows that attachments are bounded.
func TestTooMuch(t *testing.T) {
	p, limits := begin(t, new(owner), pollertest.NewLoop(0))
	if _, _, done, err := p.Add(make([]byte, 101), limits); done || !errors.Is(err, sio.ErrAttachments) {
		t.Error(done, err)
	}
	p.Drop()
}

// TestDecode shows that a connection with another parser has a time-out only while a packet is not whole.
func TestDecode(t *testing.T) {
	l, o := pollertest.NewLoop(0), new(owner)
	limits := new(sio.Limits).Effective()
	enc := packets.New(pieces{}, nil, 10)
	p := New(o, l, limit, enc.NewStream(&limits, 1000))
	for range 2 {
		if _, _, done, err := p.Decode([]byte("first"), false); done || err != nil || p.Held() != 5 || l.Wheel().Len() != 1 {
			t.Fatal(done, err, p.Held(), l.Wheel().Len())
		}
		packet, _, done, err := p.Decode([]byte("end"), false)
		if !done || err != nil || string(packet.Event) != "e" || p.Held() != 0 || l.Wheel().Len() != 0 {
			t.Fatal(done, err, packet, p.Held(), l.Wheel().Len())
		}
	}
	if _, _, _, err := p.Decode([]byte("error"), false); !errors.Is(err, errPieces) {
		t.Error(err)
	}
	_, _, _, _ = p.Decode([]byte("first"), false)
	l.Advance(limit)
	p.Drop()
	if o.late != 1 || l.Wheel().Len() != 0 {
		t.Error("late", o.late, "timers", l.Wheel().Len())
	}
}

var errPieces = errors.New("no piece")

// pieces is a parser whose packets are an event that ends with the message "end".
type pieces struct{}

func (pieces) Encode(*parser.Packet, func([]byte, bool)) error { return nil }
func (pieces) NewDecoder(parser.Limits) parser.Decoder         { return pieces{} }
func (pieces) Reset()                                          {}
func (pieces) Decode(message []byte, _ bool, p *parser.Packet) (done bool, err error) {
	switch string(message) {
	case "error":
		return false, errPieces
	case "end":
		p.Type, p.Namespace, p.Data = sio.Event, "/", []byte(`["e"]`)
		return true, nil
	}
	return false, nil
}
