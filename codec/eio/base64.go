package eio

// digit64 maps a character of the standard base64 alphabet to its value, all others to notDigit.
var digit64 = alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

// notDigit has a bit that no digit has, so that the OR of several lookups tells whether one failed.
const notDigit = 0xff

func alphabet(chars string) *[256]byte {
	var t [256]byte
	for i := range t {
		t[i] = notDigit
	}
	for v := range len(chars) {
		t[chars[v]] = byte(v)
	}
	return &t
}

// decodeBase64 decodes b in place and returns the decoded part of b. If b is not base64, ok is false
// and the content of b is undefined.
//
// encoding/base64 does not fit: it does not promise to work in place, and its padding is either
// required or forbidden. The write position never passes the read position, because n bytes written
// have consumed at least n+1 characters.
func decodeBase64(b []byte) (data []byte, ok bool) {
	var (
		i, n   int    // read and write positions
		acc    uint32 // digits of the group that is not complete yet
		digits int    // how many
	)
	for i < len(b) {
		if digits == 0 {
			for len(b)-i >= 4 {
				d0, d1, d2, d3 := digit64[b[i]], digit64[b[i+1]], digit64[b[i+2]], digit64[b[i+3]]
				if d0|d1|d2|d3 == notDigit {
					break
				}
				b[n], b[n+1], b[n+2] = d0<<2|d1>>4, d1<<4|d2>>2, d2<<6|d3
				i, n = i+4, n+3
			}
			if i == len(b) {
				break
			}
		}
		c := b[i]
		if c == '=' {
			if !isPadding(b[i:], 4-digits) {
				return nil, false
			}
			break
		}
		i++
		if c == '\n' || c == '\r' {
			continue
		}
		d := digit64[c]
		if d == notDigit {
			return nil, false
		}
		acc, digits = acc<<6|uint32(d), digits+1
		if digits == 4 {
			b[n], b[n+1], b[n+2] = byte(acc>>16), byte(acc>>8), byte(acc)
			acc, digits, n = 0, 0, n+3
		}
	}
	return finishBase64(b, n, acc, digits)
}

// finishBase64 writes the last, incomplete group. The unused bits of the group must be zero, so that
// each value has one encoding (RFC 4648 section 3.5).
func finishBase64(b []byte, n int, acc uint32, digits int) (data []byte, ok bool) {
	switch digits {
	case 0:
	case 2:
		if acc&0xf != 0 {
			return nil, false
		}
		b[n] = byte(acc >> 4)
		n++
	case 3:
		if acc&0x3 != 0 {
			return nil, false
		}
		b[n], b[n+1] = byte(acc>>10), byte(acc>>2)
		n += 2
	default:
		return nil, false
	}
	return b[:n:n], true
}

// isPadding reports whether b consists of exactly want padding characters, one or two, and line ends.
func isPadding(b []byte, want int) bool {
	if want > 2 {
		return false
	}
	for _, c := range b {
		switch c {
		case '=':
			want--
		case '\n', '\r':
		default:
			return false
		}
	}
	return want == 0
}
