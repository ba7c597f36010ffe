package sio

import (
	"bytes"
	"math"
	"strconv"
)

// placeholderHead and placeholderTail surround the number of an attachment.
const (
	placeholderHead = `{"_placeholder":true,"num":`
	placeholderTail = `}`
)

func appendPlaceholder(dst []byte, num int) []byte {
	dst = append(dst, placeholderHead...)
	dst = strconv.AppendInt(dst, int64(num), 10)
	return append(dst, placeholderTail...)
}

// span is a placeholder in a JSON text: text[start:end] represents attachment num.
type span struct{ start, end, num int }

// placeholders finds placeholders during a scan: objects whose member "_placeholder" is
// true, whatever else they contain. The last of several members with the same name
// counts. The JavaScript decoder replaces the same objects. Loop-owned.
type placeholders struct {
	limit   int  // numbers must be below it
	collect bool // fill spans

	total int    // placeholders seen
	spans []span // the outermost ones, in order of the text

	near [8]openObject // open objects, innermost last
	far  []openObject
	n    int
}

// openObject is the state of an object that has not ended yet.
type openObject struct {
	start int32
	num   int32 // value of its "num", -1 if it is no integer
	last  member
	is    bool // its "_placeholder" is true
}

// member says which member's value comes next.
type member uint8

const (
	memberOther member = iota
	memberPlaceholder
	memberNum
)

func (p *placeholders) top() *openObject {
	if p.n <= len(p.near) {
		return &p.near[p.n-1]
	}
	return &p.far[p.n-1-len(p.near)]
}

// open is called for each array or object that begins at text[at].
func (p *placeholders) open(at int, object bool) {
	p.value(nil) // as a value of the object around it, it is neither true nor a number
	if !object {
		return
	}
	o := openObject{start: int32(min(at, math.MaxInt32)), num: -1}
	if p.n < len(p.near) {
		p.near[p.n] = o
	} else {
		p.far = append(p.far[:p.n-len(p.near)], o)
	}
	p.n++
}

// key is called for each member name, with its quotes.
func (p *placeholders) key(name []byte) {
	o := p.top()
	o.last = memberOther
	switch string(name) {
	case `"_placeholder"`:
		o.last = memberPlaceholder
	case `"num"`:
		o.last = memberNum
	default:
		if bytes.IndexByte(name, '\\') >= 0 {
			o.last = escapedMember(name)
		}
	}
}

// escapedMember recognizes the names in escaped spellings.
func escapedMember(name []byte) member {
	const longest = len(`"_placeholder"`) * len(`\u0000`)
	if len(name) > longest {
		return memberOther
	}
	var buf [longest]byte
	switch string(appendUnquoted(buf[:0], name)) {
	case "_placeholder":
		return memberPlaceholder
	case "num":
		return memberNum
	}
	return memberOther
}

// scalar is called for each string, number and literal that is not a name.
func (p *placeholders) scalar(v []byte) { p.value(v) }

func (p *placeholders) value(v []byte) {
	if p.n == 0 {
		return
	}
	o := p.top()
	switch o.last {
	case memberPlaceholder:
		o.is = string(v) == "true"
	case memberNum:
		o.num = attachmentNumber(v)
	}
	o.last = memberOther
}

// close is called at the end of each object, with the index after it.
func (p *placeholders) close(end int) error {
	o := *p.top()
	p.n--
	if !o.is {
		return nil
	}
	if o.num < 0 || int(o.num) >= p.limit {
		return errBadPlaceholder
	}
	p.total++
	if p.collect {
		// Placeholders inside a placeholder are dropped with it.
		for n := len(p.spans); n > 0 && p.spans[n-1].start > int(o.start); n-- {
			p.spans = p.spans[:n-1]
		}
		p.spans = append(p.spans, span{int(o.start), end, int(o.num)})
	}
	return nil
}

// attachmentNumber returns the value of a JSON number, or -1 if v is not an integer or
// out of range. Unusual spellings of integers, such as 1.0, are accepted.
func attachmentNumber(v []byte) int32 {
	const plain = 9 // digits that always fit
	if len(v) == 0 || v[0] != '-' && v[0]-'0' > 9 {
		return -1
	}
	if n, end := parseDigits(v, 0, math.MaxInt32); end == len(v) && len(v) <= plain {
		return int32(n)
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > math.MaxInt32 {
		return -1
	}
	return int32(f)
}
