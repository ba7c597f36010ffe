package httpwire

import "bytes"

// QueryGet returns the first value of key in a raw query; ok is false if there is none. Names and
// values are form-encoded: "+" is a space and %XX a byte. A "%" without two hex digits stands for
// itself, as in Node's query parser. If there is nothing to decode, the value is a view of
// rawQuery; otherwise it is a new slice no longer than the encoded value. A name without "=" has an
// empty value.
func QueryGet(rawQuery []byte, key string) (value []byte, ok bool) {
	for len(rawQuery) > 0 {
		if mayBegin(rawQuery[0], key) {
			pair := rawQuery
			if i := bytes.IndexByte(pair, '&'); i >= 0 {
				pair = pair[:i]
			}
			if value, ok := pairGet(pair, key); ok {
				return queryDecode(value), true
			}
		}
		i := bytes.IndexByte(rawQuery, '&')
		if i < 0 {
			break
		}
		rawQuery = rawQuery[i+1:]
	}
	return nil, false
}

// mayBegin reports whether a pair whose first byte is c may have the name key. It spares most pairs a closer look.
func mayBegin(c byte, key string) bool {
	return key == "" || c == key[0] || c == '%' || c == '+'
}

// pairGet returns the encoded value of a pair if its name is key.
func pairGet(pair []byte, key string) (value []byte, ok bool) {
	name, value := pair, pair[len(pair):]
	if i := bytes.IndexByte(pair, '='); i >= 0 {
		name, value = pair[:i], pair[i+1:]
	}
	return value, len(pair) > 0 && decodesTo(name, key)
}

// decodesTo reports whether the encoded name equals key, without decoding it first.
func decodesTo(name []byte, key string) bool {
	matched := 0
	for i := 0; i < len(name); matched++ {
		c, width := name[i], 1
		if c == '%' || c == '+' {
			c, width = queryByte(name[i:])
		}
		if matched == len(key) || key[matched] != c {
			return false
		}
		i += width
	}
	return matched == len(key)
}

func queryDecode(value []byte) []byte {
	plain := true
	for _, c := range value {
		plain = plain && c != '%' && c != '+'
	}
	if plain {
		return value
	}
	decoded := make([]byte, 0, len(value))
	for i := 0; i < len(value); {
		c, width := queryByte(value[i:])
		decoded = append(decoded, c)
		i += width
	}
	return decoded
}

// queryByte decodes the first byte of b, which must not be empty, and returns the number of bytes
// that it takes in b.
func queryByte(b []byte) (c byte, width int) {
	switch {
	case b[0] == '+':
		return ' ', 1
	case b[0] == '%' && len(b) > 2 && allOf(b[1:3], classHex):
		return unhex(b[1])<<4 | unhex(b[2]), 3
	default:
		return b[0], 1
	}
}
