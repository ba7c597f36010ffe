package msgpack

import "encoding/binary"

// Decoder reads the values of one MessagePack message, one after another, for formats other than [Packet]. The caller
// reads the heads of arrays and maps, and then exactly their elements. It shares no memory with the message. Only one
// goroutine may use it at a time. Errors wrap [ErrPacket]; after one the Decoder must not be used.
//
// Values are translated to JSON as described for packets, with one difference: extension type -1 is a timestamp, as in
// the specification and in later versions of notepack, and becomes an ISO text.
type Decoder struct{ r reader }

// NewDecoder returns a Decoder of b, which must not change while it is used. The limits hold for each value.
func NewDecoder(b []byte, lim *Limits) *Decoder {
	return &Decoder{reader{b: b, lim: lim.settle(), timestamps: true}}
}

// Array reads the head of an array and returns the number of elements, for which the message has room.
func (d *Decoder) Array() (n int, err error) { return d.head(kindArray) }

// Map reads the head of a map and returns the number of members, for which the message has room. Each has a name and
// a value.
func (d *Decoder) Map() (n int, err error) { return d.head(kindMap) }

func (d *Decoder) head(want valueKind) (int, error) {
	n, kind, err := d.r.head()
	if err == nil && kind != want {
		err = errData
	}
	return n, err
}

// IsMap and IsText report whether a map or a text comes next.
func (d *Decoder) IsMap() bool  { return d.r.peek() == kindMap }
func (d *Decoder) IsText() bool { return d.r.peek() == kindText }

// Text reads a text, or a number as the text that JavaScript makes of it.
func (d *Decoder) Text() (string, error) {
	if d.r.peek() == kindNumber {
		d.r.out = d.r.out[:0]
		err := d.r.numberName()
		return string(d.r.out), err
	}
	n, err := d.head(kindText)
	if err != nil {
		return "", err
	}
	return validText(d.r.take(n)), nil
}

// Uint reads an integer from 0 to 2^53-1.
func (d *Decoder) Uint() (uint64, error) { return d.r.integer(errData) }

// Bool reads true or false.
func (d *Decoder) Bool() (bool, error) {
	if d.r.peek() != kindBool {
		return false, errData
	}
	d.r.at++
	return d.r.b[d.r.at-1] == codeTrue, nil
}

// Nil consumes nil if it comes next, and reports whether it did.
func (d *Decoder) Nil() bool {
	if d.r.left() == 0 || d.r.b[d.r.at] != codeNil {
		return false
	}
	d.r.at++
	return true
}

// Value reads any value as JSON with its binary data, which belong to the caller.
func (d *Decoder) Value() (json []byte, attachments [][]byte, err error) {
	const sizeAhead = 4096
	d.r.out = make([]byte, 0, min(d.r.left()+d.r.left()/4, sizeAhead))
	d.r.attachments, d.r.bytes, d.r.lookalike = nil, 0, false
	if err := d.r.value(d.r.lim.Depth); err != nil {
		return nil, nil, err
	}
	json, d.r.out = d.r.out, nil
	if d.r.lookalike && len(d.r.attachments) > 0 {
		return nil, nil, errPlaceholder
	}
	return json, d.r.attachments, nil
}

// Skip reads any value, checks it and drops it.
func (d *Decoder) Skip() error {
	d.r.out = d.r.out[:0]
	d.r.attachments, d.r.bytes = nil, 0
	return d.r.value(d.r.lim.Depth)
}

// End returns an error unless all of the message has been read.
func (d *Decoder) End() error {
	if d.r.left() > 0 {
		return errTrailing
	}
	return nil
}

// timestamp translates a timestamp of 4, 8 or 12 bytes. ok is false for other lengths.
func (r *reader) timestamp(data []byte) (ok bool) {
	var seconds int64
	var nanos uint32
	switch len(data) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(data))
	case 8:
		both := binary.BigEndian.Uint64(data)
		nanos, seconds = uint32(both>>34), int64(both&(1<<34-1))
	case 12:
		nanos, seconds = binary.BigEndian.Uint32(data), int64(binary.BigEndian.Uint64(data[4:]))
	default:
		return false
	}
	const msMax = dateMax / 1000
	ms := int64(dateMax + 1)
	if seconds >= -msMax && seconds <= msMax {
		ms = seconds*1000 + int64(nanos/1_000_000)
	}
	r.out = appendDate(r.out, ms)
	return true
}

// AppendArray appends the head of an array of n elements, which must follow.
func AppendArray(dst []byte, n int) []byte { return appendCount(dst, fixArray, codeArray16, uint32(n)) }

// AppendMap appends the head of a map of n members, which must follow, each as a name and a value.
func AppendMap(dst []byte, n int) []byte { return appendCount(dst, fixMap, codeMap16, uint32(n)) }

// AppendText appends a text, which should be UTF-8.
func AppendText(dst []byte, text string) []byte { return appendText(dst, text) }

// AppendUint appends an integer.
func AppendUint(dst []byte, n uint64) []byte { return appendUint(dst, n) }

// AppendBool appends true or false.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

// appendCount appends the head of an array or map.
func appendCount(dst []byte, fix, code16 byte, n uint32) []byte {
	switch {
	case n < 16:
		return append(dst, fix|byte(n))
	case n < 1<<16:
		return append(dst, code16, byte(n>>8), byte(n))
	}
	return append(dst, code16+1, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}
