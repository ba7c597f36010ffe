package mount

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// ownFields are not passed on, because they describe the framing of a message, which net/http has decoded.
var ownFields = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true, "Te": true, "Expect": true,
}

// appendHead appends the head of a request in HTTP/1.1. A negative length means that the body is chunked. Nothing in
// the head can end a line early.
func appendHead(dst []byte, r *http.Request, target string, length int64) []byte {
	dst = appendClean(dst, r.Method)
	dst = append(dst, ' ')
	dst = appendClean(dst, target)
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = appendLine(dst, "Host", r.Host)
	upgrade := asksForWebSocket(r) // anybody else's upgrade is none of ours
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if ownFields[name] || name == "Upgrade" && !upgrade {
			continue
		}
		for _, value := range r.Header[name] {
			dst = appendLine(dst, name, value)
		}
	}
	if length < 0 {
		dst = appendLine(dst, "Transfer-Encoding", "chunked")
	} else if length > 0 || r.Method == http.MethodPost {
		dst = appendLine(dst, "Content-Length", strconv.FormatInt(length, 10))
	}
	return append(dst, "\r\n"...)
}

func appendLine(dst []byte, name, value string) []byte {
	dst = appendClean(dst, name)
	dst = append(dst, ": "...)
	dst = appendClean(dst, value)
	return append(dst, "\r\n"...)
}

// appendClean appends a text with spaces in place of control characters. A client's request has none, but middleware of
// the program may have added some.
func appendClean(dst []byte, s string) []byte {
	at := len(dst)
	dst = append(dst, s...)
	for i, c := range dst[at:] {
		if c < ' ' && c != '\t' || c == 0x7F {
			dst[at+i] = ' '
		}
	}
	return dst
}

// answerReader assembles an answer of the session layer, from one frame or several, and parses it.
type answerReader struct {
	head   bool // the request was HEAD: no body comes
	raw    []byte
	header http.Header
	status int
	body   []byte
	done   bool
}

func (a *answerReader) add(frame []byte) { a.raw = append(a.raw, frame...) }

// whole reports whether the answer is complete, and parses it then.
func (a *answerReader) whole() bool {
	if a.done || len(a.raw) == 0 || !bytes.Contains(a.raw, []byte("\r\n\r\n")) {
		return a.done
	}
	method := http.MethodGet
	if a.head {
		method = http.MethodHead
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(a.raw)), &http.Request{Method: method})
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return false // more is to come
	}
	a.done, a.status, a.header, a.body = true, resp.StatusCode, resp.Header, body
	if resp.Close {
		a.header.Set("Connection", "close")
	}
	if resp.ContentLength >= 0 && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusNotModified {
		a.header.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	return true
}
