package httpwire

// Defaults for the zero fields of Limits.
const (
	DefaultLineBytes   = 16 << 10  // all of the head, as in Node's server: tokens in queries are long
	DefaultHeaderBytes = 16 << 10  // the bound of Node's server, so of the original one
	DefaultHeaders     = 100       // a browser sends 15 to 25, proxies add some
	DefaultBodyBytes   = 1_000_000 // maxHttpBufferSize of Engine.IO
)

// limitMax caps every field of Limits. A request is then hardly longer than 5*limitMax bytes
// (head, body, chunk framing, trailers), so that the parser's positions fit into 32 bits and a
// million parsers stay small.
const limitMax = 1 << 28

// chunkLineBytesMax bounds the first line of a chunk, including extensions and CRLF.
const chunkLineBytesMax = 256

// Limits bounds what a peer may send. It is immutable while in use and may be shared by any
// number of parsers. A field that is zero or negative means its default; values above 256 MiB
// count as 256 MiB.
type Limits struct {
	// LineBytes is the length of the longest request line in bytes, without its CRLF. A longer
	// line gets 414, and so does a line that alone would fill HeaderBytes.
	LineBytes int
	// HeaderBytes is the size of the longest head in bytes: request line, fields and empty line,
	// with all CRLFs. A longer head gets 431. Trailers of a chunked body have the same limit.
	HeaderBytes int
	// Headers is the greatest number of fields in a head, and in the trailers of a chunked body.
	// More fields get 431.
	Headers int
	// BodyBytes is the size of the longest body after decoding. A longer body gets 413. The
	// framing of a chunked body (sizes, extensions, CRLFs) may take BodyBytes+HeaderBytes in
	// addition, so that tiny chunks cannot inflate the buffer; more gets 413.
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
	// A line that exceeds both limits must get the same answer however it is split, so the limit
	// of the line is never beyond the limit of the head.
	b.line = min(b.line, b.head-len("\r\n"))
	return b
}

func limitOr(v, otherwise int) int {
	if v <= 0 {
		return otherwise
	}
	return min(v, limitMax)
}
