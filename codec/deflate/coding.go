package deflate

import (
	"bytes"
	"strconv"
)

// Coding is a content coding of an HTTP response (RFC 9110 section 8.4.1).
type Coding uint8

// The content codings.
const (
	// Identity leaves the body as it is.
	Identity Coding = iota
	// Gzip is RFC 1952.
	Gzip
	// Deflate is the zlib format of RFC 1950, despite its name.
	Deflate
)

// String returns the name of the coding, as in Content-Encoding.
func (c Coding) String() string {
	switch c {
	case Gzip:
		return "gzip"
	case Deflate:
		return "deflate"
	default:
		return "identity"
	}
}

// rank is a client's preference for a coding. The zero value means not acceptable.
type rank struct {
	q float64
	// named: the coding was listed itself, not matched by "*".
	named bool
	// at is the position in the list of the coding, or of "*".
	at int
}

// better implements the order of the reference server: by weight, then named codings
// before "*", then by position.
func (r rank) better(than rank) bool {
	switch {
	case r.q != than.q:
		return r.q > than.q
	case r.named != than.named:
		return r.named
	default:
		return r.at < than.at
	}
}

// merge adds another mention of the same coding. The greater weight counts; of equal
// weights, the later mention.
func (r *rank) merge(other rank) {
	if !r.named || other.q >= r.q {
		*r = other
	}
}

// AcceptEncoding chooses the coding of a response from the value of the request's
// Accept-Encoding field (RFC 9110 section 12.5.3). It follows the reference server:
// the client's order decides between equal weights, "*" means gzip first, and an
// acceptable coding is used whatever the weight of identity. It returns Identity if
// the field is absent or no coding is acceptable.
func AcceptEncoding(header []byte) Coding {
	var gzip, deflate, others rank
	for at := 0; len(header) > 0; at++ {
		var element []byte
		element, header, _ = bytes.Cut(header, []byte{','})
		name, parameters, _ := bytes.Cut(element, []byte{';'})
		r := rank{q: weight(parameters), named: true, at: at}
		switch name = bytes.TrimSpace(name); {
		case bytes.EqualFold(name, []byte("gzip")):
			gzip.merge(r)
		case bytes.EqualFold(name, []byte("deflate")):
			deflate.merge(r)
		case string(name) == "*":
			r.named = false
			others = r
		}
	}
	if !gzip.named {
		gzip = others
	}
	if !deflate.named {
		deflate = others
	}
	switch {
	case gzip.q <= 0 && deflate.q <= 0:
		return Identity
	case deflate.better(gzip):
		return Deflate
	default:
		return Gzip
	}
}

// weight parses the parameter q. It returns 1 if there is none and 0 if it is not a number.
func weight(parameters []byte) float64 {
	for len(parameters) > 0 {
		var p []byte
		p, parameters, _ = bytes.Cut(parameters, []byte{';'})
		name, value, _ := bytes.Cut(p, []byte{'='})
		if !bytes.EqualFold(bytes.TrimSpace(name), []byte("q")) {
			continue
		}
		q, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		if err != nil || !(q >= 0) { // NaN is neither
			return 0
		}
		return q
	}
	return 1
}
