package httpwire

// Defaults for the zero fields of Limits.
const (
	DefaultLineBytes   = 16 << 10  // all of the head, as in Node's server: tokens in queries are long
	DefaultHeaderBytes = 16 << 10  // the bound of Node's server, so of the original one
	DefaultHeaders     = 100       // a browser sends 15 to 25, proxies add some
	DefaultBodyBytes   = 1_000_000 // maxHttpBufferSize of Engine.IO
)

// limitMax caps every field of Limits. A request is then hardly longer than
// 5*limitMax bytes (head, body, chunk framing, trailers), so that the parser can
// keep its positions in 32 bits and stay small beside a million connections.
const limitMax = 1 << 28

// chunkLineBytesMax bounds the line that opens a chunk, extensions and CRLF included.
const chunkLineBytesMax = 256

// Limits bounds what a peer may send. It is immutable while in use and may be
// shared by any number of parsers. A field that is zero or negative means its
// default; values above 256 MiB count as 256 MiB.
type Limits struct {
	// LineBytes is the longest request line, without its CRLF. Longer: 414.
	// A line that alone would fill HeaderBytes is too long as well.
	LineBytes int
	// HeaderBytes is the longest head: request line, fields and empty line, with
	// all CRLFs. Longer: 431. The trailers of a chunked body have the same bound.
	HeaderBytes int
	// Headers is the largest number of fields in a head, and in the trailers of
	// a chunked body. More: 431.
	Headers int
	// BodyBytes is the longest body after decoding. Longer: 413. The framing of
	// a chunked body (sizes, extensions, CRLFs) may take BodyBytes+HeaderBytes
	// on top of it, so that tiny chunks cannot blow the buffer up. More: 413.
	BodyBytes int
}

// bounds is Limits with its defaults filled in.
type bounds struct {
	line, head, fields, body int
}

func (l *Limits) bounds() bounds {
	if l == nil {
		l = &Limits{}
	}
	b := bounds{
		line:   limitOr(l.LineBytes, DefaultLineBytes),
		head:   limitOr(l.HeaderBytes, DefaultHeaderBytes),
		fields: limitOr(l.Headers, DefaultHeaders),
		body:   limitOr(l.BodyBytes, DefaultBodyBytes),
	}
	// A line that breaks both bounds must get the same answer however it is cut,
	// so the line's bound never lies behind the head's.
	b.line = min(b.line, b.head-len("\r\n"))
	return b
}

func limitOr(v, otherwise int) int {
	if v <= 0 {
		return otherwise
	}
	return min(v, limitMax)
}
