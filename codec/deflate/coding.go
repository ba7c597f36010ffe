package deflate

import (
	"bytes"
	"strconv"
)

// Coding is a content coding of an HTTP answer, RFC 9110 section 8.4.1.
type Coding uint8

// The content codings.
const (
	// Identity leaves the body as it is.
	Identity Coding = iota
	// Gzip is RFC 1952.
	Gzip
	// Deflate is, its name notwithstanding, the zlib format of RFC 1950.
	Deflate
)

// String is the name of the coding, as Content-Encoding has it.
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

// rank says how much a client likes a coding. The zero value is not at all.
type rank struct {
	q float64
	// named: it was listed itself and is not one of "*".
	named bool
	// at is where in the list it, or "*", stands.
	at int
}

// better is the order in which the reference server chooses: by the weight, then
// what was named, then what came first.
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

// merge takes another mention of the same coding: the greater weight counts, of
// equal ones the later.
func (r *rank) merge(other rank) {
	if !r.named || other.q >= r.q {
		*r = other
	}
}

// AcceptEncoding chooses the coding for an answer by the value of the request's
// Accept-Encoding field (RFC 9110 section 12.5.3). As with the reference server
// the client's order decides between equal weights, gzip comes first under "*",
// and a coding that may be used is used, whatever the weight of identity. Without
// the field it is Identity.
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

// weight reads the parameter q: 1 when there is none, 0 when it is no number.
func weight(parameters []byte) float64 {
	for len(parameters) > 0 {
		var p []byte
		p, parameters, _ = bytes.Cut(parameters, []byte{';'})
		name, value, _ := bytes.Cut(p, []byte{'='})
		if !bytes.EqualFold(bytes.TrimSpace(name), []byte("q")) {
			continue
		}
		q, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		if err != nil || !(q >= 0) { // not a number compares with nothing
			return 0
		}
		return q
	}
	return 1
}
