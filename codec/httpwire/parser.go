package httpwire

import "bytes"

// emptyLinesMax is the number of empty lines that are skipped before a request line; old clients
// send one after a body (RFC 9112, section 2.2).
const emptyLinesMax = 2

// phase says what the parser reads next.
type phase uint8

const (
	phaseStart     phase = iota // empty lines before the request line
	phaseHead                   // request line and fields
	phaseSized                  // a body of known length, maybe 0
	phaseChunkLine              // the size of a chunk
	phaseChunkData              // what it holds
	phaseChunkEnd               // the CRLF behind that
	phaseTrailers               // the fields after the last chunk
)

// Parser finds the requests in the bytes of one connection. It is loop-owned; the zero value is
// ready to use. It holds positions only, no bytes and no buffer.
type Parser struct {
	err *Error // why the stream is beyond repair; nil while it is not

	scan    int32 // the bytes before it have been looked at
	line    int32 // where the line begins that is being looked for
	bodyAt  int32 // where the body begins; 0 until the head is complete
	length  int32 // Content-Length; when chunked, what the chunk still lacks
	decoded int32 // when chunked: length of the body so far, from bodyAt on
	trailer int32 // when chunked: where the trailers begin
	fields  int32 // fields seen, of the head and then of the trailers
	start   uint8 // where the request line begins, behind empty lines
	phase   phase
	expects bool // the peer waits for 100 Continue
}

// Parse looks for a whole request at the start of buf. buf must begin at the first byte that no
// earlier call consumed, and hold all bytes received since.
//
// If n > 0, req is filled with views of buf, valid until the caller drops or overwrites those
// bytes, and the next request begins at buf[n]. If n == 0 and there is no error, more bytes are
// needed: keep buf unchanged and call again with the same bytes and more after them, at the same
// address or another. lim must not change within a request. Chunked bodies are decoded in place,
// so bytes of buf after the head may change with every call. Errors are of type *Error. The
// connection must be answered with its status and closed; every later call returns the same
// error.
//
// The result depends only on the bytes, not on how they are split into calls. The work of all
// calls together is linear in the number of bytes.
//
// Parse is stricter than RFC 9112: it refuses bare LF, repeated equal Content-Lengths, white
// space around chunk sizes, targets with bytes outside ASCII, userinfo in targets, percent
// escapes in hosts, and minor versions above 1.
func (p *Parser) Parse(buf []byte, lim *Limits, req *Request) (n int, err error) {
	if p.err != nil {
		return 0, p.err
	}
	n, fault := p.advance(buf, lim, req)
	if fault != nil {
		p.err = fault
		return 0, fault
	}
	if n > 0 {
		*p = Parser{}
	}
	return n, nil
}

// Reset makes the parser ready for the first request of a connection.
func (p *Parser) Reset() { *p = Parser{} }

// HeadDone reports whether the head of the current request is complete while its body is not. A
// time limit for heads may then be lifted.
func (p *Parser) HeadDone() bool { return p.bodyAt > 0 }

// Need returns the length that buf will have when it holds the whole request, if a Content-Length
// says so, and 0 otherwise. It is a hint for sizing the buffer, and never above the limits.
func (p *Parser) Need() int {
	if p.phase != phaseSized {
		return 0
	}
	return int(p.bodyAt) + int(p.length)
}

// ExpectsContinue reports whether the head of the current request is complete and asks for 100
// Continue (RFC 9110, section 10.1.1) and no byte of its body came with it. It returns true once
// per request. The answer is ContinueResponse.
func (p *Parser) ExpectsContinue() bool {
	expects := p.expects && p.err == nil
	p.expects = false
	return expects
}

func (p *Parser) advance(buf []byte, lim *Limits, req *Request) (int, *Error) {
	if len(buf) < int(p.scan) {
		return 0, nil // the caller lost bytes; nothing good can come of it
	}
	b := lim.bounds()
	if p.phase == phaseStart {
		if err := p.skipEmptyLines(buf); err != nil || p.phase == phaseStart {
			return 0, err
		}
	}
	filled := false
	if p.phase == phaseHead {
		if err := p.readHead(buf, &b, req); err != nil || p.phase == phaseHead {
			return 0, err
		}
		filled = true
	}
	bodyEnd, end, err := p.readBody(buf, &b)
	if err != nil || end == 0 {
		return 0, err
	}
	if !filled {
		// An earlier call has read the head, and buf may have moved since.
		var f framing
		if err := parseHead(p.headOf(buf), req, &f); err != nil {
			return 0, err
		}
		if err := f.check(req); err != nil {
			return 0, err
		}
	}
	req.Body = buf[p.bodyAt:bodyEnd:bodyEnd]
	return end, nil
}

// headOf returns the complete head without its empty line.
func (p *Parser) headOf(buf []byte) []byte {
	end := int(p.bodyAt) - len("\r\n")
	return buf[p.start:end:end]
}

// skipEmptyLines enters phaseHead at the first byte that can begin a method. Checking that byte
// here refuses a TLS hello without waiting for a line end that never comes.
func (p *Parser) skipEmptyLines(buf []byte) *Error {
	for rest := buf[p.start:]; len(rest) > 0; rest = buf[p.start:] {
		switch {
		case class[rest[0]]&classToken != 0:
			p.line, p.scan = int32(p.start), int32(p.start)
			p.phase = phaseHead
			return nil
		case rest[0] != '\r' || int(p.start) == emptyLinesMax*len("\r\n"):
			return errEmptyLines
		case len(rest) == 1:
			return nil
		case rest[1] != '\n':
			return errEmptyLines
		}
		p.start += uint8(len("\r\n"))
	}
	return nil
}

// readHead parses the complete lines, and leaves phaseHead at the empty line.
func (p *Parser) readHead(buf []byte, b *bounds, req *Request) *Error {
	resumed := int(p.line) > int(p.start) // lines of earlier calls are not in req
	var f framing
	req.begin()
	for {
		first := int(p.line) == int(p.start)
		from := int(p.line)
		end, whole := p.lineEnd(buf)
		if first && end-from > b.line+len("\r\n") {
			return errLineLong
		}
		if end-int(p.start) > b.head {
			return errHeadLong
		}
		if !whole {
			return nil
		}
		line, err := cutCRLF(buf[from:end])
		if err == nil && len(line) == 0 {
			break
		}
		switch {
		case err != nil:
		case first:
			err = req.parseLine(line)
		case int(p.fields) == b.fields:
			err = errFieldsMany
		default:
			p.fields++
			err = req.parseField(line, &f)
		}
		if err != nil {
			return err
		}
	}
	p.bodyAt = p.line
	if resumed {
		if err := parseHead(p.headOf(buf), req, &f); err != nil {
			return err
		}
	}
	req.Head = p.headOf(buf)
	return p.enterBody(buf, b, req, &f)
}

// lineEnd continues the search for the end of the current line. If it is there, end is the
// position after its LF, where the next line begins. Otherwise end is the length of buf. Callers
// check end against a limit before they use the positions again, so a buf too long for 32 bits
// does no harm.
func (p *Parser) lineEnd(buf []byte) (end int, whole bool) {
	i := bytes.IndexByte(buf[p.scan:], '\n')
	if i < 0 {
		p.scan = int32(len(buf))
		return len(buf), false
	}
	end = int(p.scan) + i + 1
	p.scan, p.line = int32(end), int32(end)
	return end, true
}

// enterBody checks the complete head and decides how the body is read.
func (p *Parser) enterBody(buf []byte, b *bounds, req *Request, f *framing) *Error {
	if err := f.check(req); err != nil {
		return err
	}
	if f.length > int64(b.body) {
		return errBodyLong
	}
	p.phase, p.length, p.fields = phaseSized, int32(f.length), 0
	if f.chunked {
		p.phase = phaseChunkLine
	}
	p.expects = f.expected && req.Minor > 0 && len(buf) == int(p.bodyAt) && (f.chunked || f.length > 0)
	return nil
}

// Declared returns the known lower bound of the body's length, for a request whose head is complete while its body is
// not: the Content-Length, or the sum of the chunks that have begun. It is 0 otherwise.
func (p *Parser) Declared() int {
	switch p.phase {
	case phaseSized:
		return int(p.length)
	case phaseChunkData:
		return int(p.decoded + p.length)
	default:
		return int(p.decoded)
	}
}

// Head fills req, except its Body, with views of buf if the head of the current request is complete while its body is
// not. It lets a server identify the sender before the whole body has arrived. buf must be the slice passed to the last
// Parse. It is an error to call it earlier.
func (p *Parser) Head(buf []byte, req *Request) error {
	if p.bodyAt == 0 || len(buf) < int(p.bodyAt) {
		return errNoHead
	}
	return ParseHead(p.headOf(buf), req)
}
