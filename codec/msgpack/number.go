package msgpack

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// numberKind is the interpretation of the 64 bits of a number.
type numberKind uint8

const (
	numberUint numberKind = iota
	numberInt
	numberFloat
)

// number reads a number: its bits and their interpretation.
func (r *reader) number() (bits uint64, kind numberKind, err error) {
	if r.peek() != kindNumber {
		if r.left() == 0 {
			return 0, 0, errShort
		}
		return 0, 0, errData
	}
	c := r.b[r.at]
	r.at++
	switch {
	case c < fixMap:
		return uint64(c), numberUint, nil
	case c >= negative:
		return uint64(int64(int8(c))), numberInt, nil
	case c >= codeInt8:
		kind = numberInt
		bits, err = r.bits(1 << (c - codeInt8))
		// The sign is in the highest bit of what was read.
		shift := 64 - 8<<(c-codeInt8)
		return uint64(int64(bits<<shift) >> shift), kind, err
	case c >= codeUint8:
		bits, err = r.bits(1 << (c - codeUint8))
		return bits, numberUint, err
	case c == codeFloat32:
		bits, err = r.bits(4)
		return math.Float64bits(float64(math.Float32frombits(uint32(bits)))), numberFloat, err
	default:
		bits, err = r.bits(8)
		return bits, numberFloat, err
	}
}

// bits reads an unsigned integer of width bytes.
func (r *reader) bits(width int) (uint64, error) {
	if r.left() < width {
		return 0, errShort
	}
	n := uint64(0)
	for _, c := range r.take(width) {
		n = n<<8 | uint64(c)
	}
	return n, nil
}

// jsonNumber translates a number to JSON.
func (r *reader) jsonNumber() error {
	bits, kind, err := r.number()
	if err != nil {
		return err
	}
	switch kind {
	case numberUint:
		r.out = strconv.AppendUint(r.out, bits, 10)
	case numberInt:
		r.out = strconv.AppendInt(r.out, int64(bits), 10)
	default:
		f := math.Float64frombits(bits)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			r.out = append(r.out, "null"...)
			return nil
		}
		r.out = appendFloat(r.out, f)
	}
	return nil
}

// numberName translates a number to a member name, spelled as in JavaScript.
func (r *reader) numberName() error {
	bits, kind, err := r.number()
	if err != nil {
		return err
	}
	f := float64(bits)
	switch kind {
	case numberInt:
		f = float64(int64(bits))
	case numberFloat:
		f = math.Float64frombits(bits)
	}
	switch {
	case math.IsNaN(f):
		r.out = append(r.out, "NaN"...)
	case math.IsInf(f, 1):
		r.out = append(r.out, "Infinity"...)
	case math.IsInf(f, -1):
		r.out = append(r.out, "-Infinity"...)
	case f == 0: // without a sign
		r.out = append(r.out, '0')
	default:
		r.out = appendFloat(r.out, f)
	}
	return nil
}

// Floats below and from these sizes on have an exponent, as in JavaScript.
const (
	exponentBelow = 1e-6
	exponentFrom  = 1e21
)

// appendFloat appends a finite number.
func appendFloat(dst []byte, f float64) []byte {
	if a := math.Abs(f); a == 0 || a >= exponentBelow && a < exponentFrom {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// "1e-07" is 1e-7.
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// dateMax is the last time that a JavaScript Date can hold, in milliseconds since 1970. The
// first is -dateMax.
const dateMax = 8_640_000_000_000_000

// appendDate appends a date in the form of JSON.stringify.
func appendDate(dst []byte, ms int64) []byte {
	if ms > dateMax || ms < -dateMax {
		return append(dst, "null"...)
	}
	t := time.UnixMilli(ms).UTC()
	dst = append(dst, '"')
	year := t.Year()
	width := 4
	if year < 0 || year > 9999 {
		width = 6
		sign := byte('+')
		if year < 0 {
			sign, year = '-', -year
		}
		dst = append(dst, sign)
	}
	var digits [6]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = byte('0' + year%10)
		year /= 10
	}
	dst = append(dst, digits[:width]...)
	return t.AppendFormat(dst, `-01-02T15:04:05.000Z"`)
}

func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n < fixMap:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, codeUint8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, codeUint8+1), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, codeUint8+2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeUint8+3), n)
}

func appendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(dst, uint64(n))
	case n >= -0x20:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, codeInt8, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, codeInt8+1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, codeInt8+2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeInt8+3), uint64(n))
}

// appendNumber translates a checked JSON number.
func appendNumber(dst, text []byte) []byte {
	if out, ok := appendInteger(dst, text); ok {
		return out
	}
	f, _ := strconv.ParseFloat(string(text), 64) // out of range is infinite, in JavaScript too
	const uintEnd, intEnd = 1 << 64, 1 << 63
	switch {
	case f != math.Trunc(f) || math.IsInf(f, 0) || f == 0 && math.Signbit(f):
	case f >= 0 && f < uintEnd:
		return appendUint(dst, uint64(f))
	case f < 0 && f >= -intEnd:
		return appendInt(dst, int64(f))
	}
	return binary.BigEndian.AppendUint64(append(dst, codeFloat64), math.Float64bits(f))
}

// appendInteger is appendNumber for integers without an exponent that fit into 64 bits.
// Negative zero does not count as an integer.
func appendInteger(dst, text []byte) (_ []byte, ok bool) {
	digits := text
	if text[0] == '-' {
		digits = text[1:]
	}
	const digitsMax = 19 // that always fit
	if len(digits) > digitsMax+1 {
		return dst, false
	}
	n := uint64(0)
	for i, c := range digits {
		d := uint64(c - '0')
		if d > 9 || i == digitsMax && n > (math.MaxUint64-d)/10 {
			return dst, false
		}
		n = n*10 + d
	}
	const intEnd = 1 << 63
	switch {
	case text[0] != '-':
		return appendUint(dst, n), true
	case n == 0 || n > intEnd:
		return dst, false
	}
	return appendInt(dst, -int64(n)), true
}
