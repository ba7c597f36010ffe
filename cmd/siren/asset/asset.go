// Package asset has what the pages of the command share: files that are part of the binary, with their tags, and the
// header fields of their answers.
package asset

import (
	"crypto/sha256"
	"encoding/base64"
	"path"
	"strings"
)

// SecurityPolicy allows what the pages have and nothing else: no inline code or styles, no other hosts, no frames, no
// forms that the browser sends, and no text that becomes markup.
const SecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes are those of the files, by the ends of their names.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// File is one answer, ready to be sent. Immutable.
type File struct {
	ContentType string
	Body        []byte
	etag        string
}

// New makes a file. Its type follows from the end of its name.
func New(name string, body []byte) *File {
	sum := sha256.Sum256(body)
	return &File{contentTypes[path.Ext(name)], body, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// SetHeader calls set with each field of the answer, but for the type of its body.
func (f *File) SetHeader(set func(name, value string)) {
	set("Content-Security-Policy", SecurityPolicy)
	set("X-Content-Type-Options", "nosniff")
	set("Cross-Origin-Opener-Policy", "same-origin")
	set("Cross-Origin-Resource-Policy", "same-origin")
	set("Referrer-Policy", "no-referrer")
	set("Cache-Control", "no-cache")
	set("ETag", f.etag)
}

// Matches reports whether the field If-None-Match names the file's tag (RFC 9110, section 13.1.2): the caller's copy is
// still right. A proxy that compresses makes tags weak; that is the same file still.
func (f *File) Matches(field string) bool {
	for tag := range strings.SplitSeq(field, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == f.etag {
			return true
		}
	}
	return false
}
