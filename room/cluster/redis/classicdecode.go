package redis

import (
	"errors"
	"time"
	"unsafe"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

var (
	// errOwn is no error: the message is this node's own, or for others on the same channel.
	errOwn      = errors.New("redis: not for this node")
	errNoEvent  = errors.New("redis: no event")
	errOptions  = errors.New("redis: no options")
	errTypes    = errors.New("redis: a value of a wrong type")
	errNoAsker  = errors.New("redis: a question without an id or a node to answer")
	errUnasked  = errors.New("redis: an answer to nobody")
	errRequest  = errors.New("redis: unknown type of request")
	errNoOption = errors.New("redis: neither options nor a socket")
)

// decode implements format.
func (c *classic) decode(sp *space, d *delivery) error {
	b := bytesOf(d.payload)
	isJSON := len(b) > 0 && b[0] == '{'
	switch {
	case d.role == roleBroadcast:
		return c.decodeBroadcast(sp, b)
	case d.role == roleRequest && isJSON:
		return c.decodeRequest(sp, b)
	case d.role == roleRequest:
		return c.decodeCall(sp, b)
	case isJSON:
		return c.decodeResponse(sp, b)
	}
	return c.decodeAck(sp, b)
}

// bytesOf returns the bytes of a text, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// decodeBroadcast reads [uid, packet, options]. Further elements are ignored.
func (c *classic) decodeBroadcast(sp *space, b []byte) error {
	d := msgpack.NewDecoder(b, &c.limits)
	n, err := d.Array()
	if err != nil {
		return err
	}
	if n < 3 {
		return errOptions
	}
	m := &cluster.Message{Kind: cluster.Broadcast, Namespace: sp.name}
	if m.From, err = d.Text(); err != nil {
		return err
	}
	if m.From == c.node {
		return errOwn
	}
	if err := readPacket(d, m); err != nil {
		return err
	}
	if err := readOptions(d, &m.Target); err != nil {
		return err
	}
	for range n - 3 {
		if err := d.Skip(); err != nil {
			return err
		}
	}
	if err := d.End(); err != nil {
		return err
	}
	sp.receive(m)
	return nil
}

// readPacket reads {type, data, nsp}.
func readPacket(d *msgpack.Decoder, m *cluster.Message) error {
	kind := uint64(0)
	err := readMap(d, func(name string) (err error) {
		switch name {
		case "type":
			kind, err = d.Uint()
		case "data":
			m.Data.JSON, m.Data.Attachments, err = d.Value()
		case "nsp":
			var nsp string
			if nsp, err = d.Text(); err == nil && nsp != m.Namespace {
				err = errOwn // of another namespace, whose channel looks like one of this namespace
			}
		default:
			err = d.Skip()
		}
		return err
	})
	if err == nil && (kind != packetType && kind != packetType+3 || !isArray(m.Data.JSON)) {
		err = errNoEvent
	}
	return err
}

// readMap calls member for the name of each member of a map, whose value member has to read.
func readMap(d *msgpack.Decoder, member func(name string) error) error {
	n, err := d.Map()
	for ; n > 0 && err == nil; n-- {
		var name string
		if name, err = d.Text(); err == nil {
			err = member(name)
		}
	}
	return err
}

// readOptions reads {rooms, except, flags}. As in the reference, each of them may be missing.
func readOptions(d *msgpack.Decoder, t *cluster.Target) error {
	return readMap(d, func(name string) (err error) {
		switch name {
		case "rooms":
			t.Rooms, err = readTexts(d)
		case "except":
			t.Except, err = readTexts(d)
		case "flags":
			if !d.Nil() {
				err = readFlags(d, t)
			}
		default:
			err = d.Skip()
		}
		return err
	})
}

// readTexts reads a list of rooms. Rooms may be numbers in the reference.
func readTexts(d *msgpack.Decoder) ([]string, error) {
	if d.Nil() {
		return nil, nil
	}
	n, err := d.Array()
	if n == 0 || err != nil {
		return nil, err
	}
	out := make([]string, n)
	for i := range out {
		if out[i], err = d.Text(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readFlags(d *msgpack.Decoder, t *cluster.Target) error {
	return readMap(d, func(name string) (err error) {
		if d.Nil() {
			return nil
		}
		switch name {
		case "volatile":
			t.Volatile, err = d.Bool()
		case "compress":
			var on bool
			on, err = d.Bool()
			t.NoCompress = !on
		case "timeout":
			var ms uint64
			ms, err = d.Uint()
			t.Timeout = timeout(ms)
		default:
			err = d.Skip()
		}
		return err
	})
}

// timeoutMax bounds the time that another node may have clients asked for.
const timeoutMax = 24 * time.Hour

func timeout(ms uint64) time.Duration {
	return time.Duration(min(ms, uint64(timeoutMax/time.Millisecond))) * time.Millisecond
}

// decodeCall reads a broadcast with acknowledgements, the only request that is MessagePack.
func (c *classic) decodeCall(sp *space, b []byte) error {
	d := msgpack.NewDecoder(b, &c.limits)
	m := &cluster.Message{Kind: cluster.Broadcast, Namespace: sp.name}
	kind, options := uint64(0), false
	err := readMap(d, func(name string) (err error) {
		switch name {
		case "uid":
			if m.From, err = d.Text(); err == nil && m.From == c.node {
				err = errOwn
			}
		case "requestId":
			m.Request, err = d.Text()
		case "type":
			kind, err = d.Uint()
		case "packet":
			err = readPacket(d, m)
		case "opts":
			options = true
			err = readOptions(d, &m.Target)
		default:
			err = d.Skip()
		}
		return err
	})
	if err == nil {
		err = d.End()
	}
	switch {
	case err != nil:
		return err
	case requestType(kind) != typeBroadcast:
		return errRequest
	case m.Data.JSON == nil:
		return errNoEvent
	case !options:
		return errOptions
	case m.Request == "" || m.From == "":
		return errNoAsker
	}
	sp.receive(m)
	return nil
}

// decodeAck reads the acknowledgement of a client of another node, the only answer that is MessagePack.
func (c *classic) decodeAck(sp *space, b []byte) error {
	d := msgpack.NewDecoder(b, &c.limits)
	m := &cluster.Message{Kind: cluster.BroadcastAck, Namespace: sp.name, Data: sio.Raw{JSON: []byte("[]")}}
	kind := uint64(0)
	err := readMap(d, func(name string) (err error) {
		switch name {
		case "requestId":
			m.Request, err = d.Text()
		case "type":
			kind, err = d.Uint()
		case "packet":
			m.Data.JSON, m.Data.Attachments, err = d.Value()
			m.Data.JSON = asList(m.Data.JSON)
		default:
			err = d.Skip()
		}
		return err
	})
	if err == nil {
		err = d.End()
	}
	switch {
	case err != nil:
		return err
	case requestType(kind) != typeAck:
		return errRequest
	case m.Request == "":
		return errUnasked
	}
	sp.receive(m)
	return nil
}
