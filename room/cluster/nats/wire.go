package nats

import (
	"encoding/binary"
	"errors"
)

// Every message on the broker begins with these two bytes: the version of the format, and what follows.
const (
	wireVersion = 1

	frameMessage  = 'm' // a cluster.Message
	framePart     = 'p' // a part of a message that is longer than the broker takes
	framePresence = 'n' // news of a node
)

var (
	errFormat  = errors.New("nats: not in the format")
	errTooLong = errors.New("nats: the message is too long")
	// errOwn is returned for messages that are not for this node.
	errOwn = errors.New("nats: not for this node")
)

// namesMax bounds the lists of names in a message, because a short name holds more memory than it takes in a message.
const namesMax = 1 << 16

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

func appendTexts(b []byte, all []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, s := range all {
		b = appendText(b, s)
	}
	return b
}

// reader reads what the functions above have written. After the first error everything is zero. It belongs to one
// goroutine; what it returns are parts of its input, except texts.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) fail() { r.failed, r.b = true, nil }

// end returns an error if something was not in the format, or is left.
func (r *reader) end() error {
	if r.failed || len(r.b) > 0 {
		return errFormat
	}
	return nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of things, of at least size bytes each.
func (r *reader) count(size, most int) int {
	n := r.number()
	if n > uint64(most) || n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) text() string { return string(r.bytes()) }

// textLike is text, without a copy if it is the same as before.
func (r *reader) textLike(before string) string {
	b := r.bytes()
	if string(b) == before {
		return before
	}
	return string(b)
}

func (r *reader) texts() []string { return r.names(namesMax) }

func (r *reader) names(most int) []string {
	n := r.count(1, most)
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.text()
	}
	return out
}

// frame reads the first two bytes.
func frame(b []byte) (kind byte, rest []byte, err error) {
	if len(b) < 2 || b[0] != wireVersion {
		return 0, nil, errFormat
	}
	return b[1], b[2:], nil
}
