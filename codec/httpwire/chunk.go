package httpwire

// chunkDigitsMax is the greatest length of a chunk size: sixteen hex digits are 64 bits.
const chunkDigitsMax = 16

// readBody looks for the end of the body. end is 0 until the body is complete.
func (p *Parser) readBody(buf []byte, b *bounds) (bodyEnd, end int, err *Error) {
	if p.phase == phaseSized {
		end = p.Need()
		if len(buf) < end {
			return 0, 0, nil
		}
		return end, end, nil
	}
	done, err := p.readChunks(buf, b)
	if err != nil || !done {
		return 0, 0, err
	}
	return int(p.bodyAt + p.decoded), int(p.scan), nil
}

// readChunks decodes the available part of a chunked body (RFC 9112, section 7.1). It moves
// the data of each chunk to the end of the decoded body, each byte once.
func (p *Parser) readChunks(buf []byte, b *bounds) (done bool, err *Error) {
	for err == nil && !done && int(p.scan) <= len(buf) {
		before, phase := p.scan, p.phase
		switch p.phase {
		case phaseChunkLine:
			err = p.readChunkLine(buf, b)
		case phaseChunkData:
			p.readChunkData(buf)
		case phaseChunkEnd:
			err = p.readChunkEnd(buf)
		default:
			done, err = p.readTrailer(buf, b)
		}
		if p.scan == before && p.phase == phase {
			break // all bytes are used up
		}
	}
	return done, err
}

func (p *Parser) readChunkLine(buf []byte, b *bounds) *Error {
	from := int(p.line)
	end, whole := p.lineEnd(buf)
	if end-from > chunkLineBytesMax {
		return errChunkLineLong
	}
	if !whole {
		return nil
	}
	line, err := cutCRLF(buf[from:end])
	if err != nil {
		return err
	}
	size, err := chunkSize(line)
	if err != nil {
		return err
	}
	if size > uint64(b.body-int(p.decoded)) {
		return errBodyLong
	}
	if end-int(p.bodyAt)-int(p.decoded) > b.body+b.head {
		return errChunkFraming
	}
	p.length = int32(size)
	p.phase = phaseChunkData
	if size == 0 {
		p.phase, p.trailer = phaseTrailers, p.scan
	}
	return nil
}

// chunkSize parses the size in the first line of a chunk. A valid extension after a semicolon
// is dropped. White space before the semicolon, which senders must not generate, is refused,
// because implementations disagree on sizes with it.
func chunkSize(line []byte) (size uint64, err *Error) {
	n := 0
	for n < len(line) && class[line[n]]&classHex != 0 {
		if n == chunkDigitsMax {
			return 0, errChunkLine
		}
		size = size<<4 | uint64(unhex(line[n]))
		n++
	}
	if n == 0 || n < len(line) && line[n] != ';' || !isValue(line[n:]) {
		return 0, errChunkLine
	}
	return size, nil
}

func (p *Parser) readChunkData(buf []byte) {
	n := min(int(p.length), len(buf)-int(p.scan))
	copy(buf[p.bodyAt+p.decoded:], buf[p.scan:int(p.scan)+n])
	p.scan += int32(n)
	p.decoded += int32(n)
	p.length -= int32(n)
	if p.length == 0 {
		p.line = p.scan
		p.phase = phaseChunkEnd
	}
}

// readChunkEnd consumes the CRLF after a chunk, one byte at a time if necessary. line stays at
// the first of the two bytes.
func (p *Parser) readChunkEnd(buf []byte) *Error {
	const crlf = "\r\n"
	for int(p.scan) < len(buf) {
		if buf[p.scan] != crlf[p.scan-p.line] {
			return errChunkEnd
		}
		p.scan++
		if int(p.scan-p.line) == len(crlf) {
			p.line = p.scan
			p.phase = phaseChunkLine
			return nil
		}
	}
	return nil
}

// readTrailer consumes one line of the trailers; the empty line ends the request. Trailers are
// checked like fields and dropped: nothing uses them, and a field after the body must not
// change how the body was read.
func (p *Parser) readTrailer(buf []byte, b *bounds) (done bool, err *Error) {
	from := int(p.line)
	end, whole := p.lineEnd(buf)
	if end-int(p.trailer) > b.head {
		return false, errTrailerLong
	}
	if !whole {
		return false, nil
	}
	line, err := cutCRLF(buf[from:end])
	if err != nil || len(line) == 0 {
		return err == nil, err
	}
	if int(p.fields) == b.fields {
		return false, errFieldsMany
	}
	p.fields++
	_, _, err = splitField(line)
	return false, err
}
