package forward

import (
	"bytes"
	"errors"
	"strconv"
)

// answerHead describes the head of an answer of another node.
type answerHead struct {
	status int
	// size is the length of the head in bytes, body that of the body.
	size, body int
	// last means that the connection ends after the answer.
	last bool
}

const (
	// answerHeadMax bounds a head.
	answerHeadMax = 64 << 10
	// answerBodyMax bounds a body. It is above anything that a session answers.
	answerBodyMax = 1 << 30
)

var errAnswer = errors.New("forward: malformed answer of a node")

var (
	crlf    = []byte("\r\n")
	headEnd = []byte("\r\n\r\n")
)

// parseAnswer reads the head of an answer in HTTP/1.1, as a session writes it: with a Content-Length. size is 0 if data
// has not all of it. head means that the request's method was HEAD.
func parseAnswer(data []byte, head bool) (a answerHead, err error) {
	end := bytes.Index(data[:min(len(data), answerHeadMax)], headEnd)
	if end < 0 {
		if len(data) >= answerHeadMax {
			return a, errAnswer
		}
		return a, nil
	}
	line, fields, _ := bytes.Cut(data[:end], crlf)
	const version = "HTTP/1.1 "
	if len(line) < len(version)+3 || string(line[:len(version)]) != version {
		return a, errAnswer
	}
	if a.status, err = strconv.Atoi(string(line[len(version) : len(version)+3])); err != nil || a.status < 100 {
		return a, errAnswer
	}
	length := -1
	for len(fields) > 0 {
		line, fields, _ = bytes.Cut(fields, crlf)
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return a, errAnswer
		}
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || n > answerBodyMax || length >= 0 {
				return a, errAnswer
			}
			length = int(n)
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return a, errAnswer
		case bytes.EqualFold(name, []byte("Connection")):
			a.last = bytes.EqualFold(value, []byte("close"))
		}
	}
	a.size = end + len(headEnd)
	switch {
	case head || a.status < 200 || a.status == 204 || a.status == 304:
	case length < 0:
		return a, errAnswer
	default:
		a.body = length
	}
	return a, nil
}
