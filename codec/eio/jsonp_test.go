package eio

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// The exact bytes of the script.
func TestAppendJSONP(t *testing.T) {
	for in, want := range map[string]string{
		"6:4hello":            `___eio[7]("6:4hello");`,
		``:                    `___eio[7]("");`,
		`4["a"]`:              `___eio[7]("4[\"a\"]");`,
		"4a\x1e4b\n\\":        `___eio[7]("4a\u001e4b\n\\");`,
		"\u2028é\u2029😀":      `___eio[7]("\u2028é\u2029😀");`,
		"</script><script>/<": `___eio[7]("<\/script><script>/<");`,
		"a\xffb":              `___eio[7]("a\ufffdb");`,
	} {
		if got := string(AppendJSONP([]byte("pre"), 7, []byte(in)))[len("pre"):]; got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// The form field, its escapes, and the client's escapes of line feeds.
func TestParseJSONP(t *testing.T) {
	for in, want := range map[string]string{
		"d=6:4hello":                "6:4hello",
		"d=":                        "",
		"d=6%3A4hello":              "6:4hello",
		"d=a+b%20c%2Bd":             "a b c+d",
		"x=1&d=6%3A4hello&y=2":      "6:4hello",
		"d=1&d=2":                   "1",
		"d=%":                       "%",
		"d=%4":                      "%4",
		"d=%zz%41":                  "%zzA",
		"d=a=b":                     "a=b",
		"d=%e2%82%AC":               "€",
		`d=a\nb`:                    "a\nb",
		`d=a\\nb`:                   `a\nb`,
		`d=a\\\nb`:                  `a\\nb`,
		`d=%5C%5Cn%5Cn\`:            "\\n\n\\",
		`d=` + `\\` + `\` + `%0A`:   "\\\\\\\n",
		"d=4:4\"\\":                 "4:4\"\\",
		"&&d=4":                     "4",
		"d=" + url.QueryEscape("&"): "&",
	} {
		got, err := ParseJSONP([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "d", "x=1", "D=1", "6:4hello", "xd=1"} {
		if _, err := ParseJSONP([]byte(in)); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// clientForm returns what the official client 2.x posts: it escapes line feeds, and the browser encodes the form.
func clientForm(payload string) string {
	payload = strings.ReplaceAll(payload, `\n`, "\\\n")
	payload = strings.ReplaceAll(payload, "\n", `\n`)
	return "d=" + url.QueryEscape(payload)
}

// The script's string is JSON of the payload, and nothing in it can end the script or its line. A posted payload is
// read back unchanged, unless it contains a sequence that the client's own escaping makes ambiguous.
func FuzzJSONP(f *testing.F) {
	for _, s := range []string{"6:4hello", "4[\"a\\n\"]\n", "</script>\u2028", "d=%41&d=+", `\\n`, "\xff\x1e"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		script := AppendJSONP(nil, 3, payload)
		inner := bytes.TrimSuffix(bytes.TrimPrefix(script, []byte("___eio[3](")), []byte(");"))
		var got string
		if err := json.Unmarshal(inner, &got); err != nil || got != strings.ToValidUTF8(string(payload), "\ufffd") &&
			utf8.Valid(payload) {
			t.Fatalf("%q: %q %v", payload, inner, err)
		}
		if bytes.Contains(inner, []byte("</")) || strings.ContainsAny(string(inner), "\u2028\u2029\n\r\x1e") {
			t.Fatalf("%q: unsafe script %q", payload, script)
		}
		back, err := ParseJSONP([]byte(clientForm(string(payload))))
		if err != nil || string(back) != string(payload) && !bytes.Contains(payload, []byte("\\\n")) {
			t.Fatalf("%q came back as %q, %v", payload, back, err)
		}
		if raw, err := ParseJSONP(bytes.Clone(payload)); err == nil && len(raw) > len(payload) {
			t.Fatalf("%q grew to %q", payload, raw)
		}
	})
}

func BenchmarkJSONP(b *testing.B) {
	payload := []byte(strings.Repeat(`35:42["chat message",{"text":"hello"}]`, 10))
	dst := make([]byte, 0, 1<<12)
	form := []byte(clientForm(string(payload)))
	scratch := make([]byte, len(form))
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = AppendJSONP(dst[:0], 3, payload)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			copy(scratch, form)
			sinkBytes, _ = ParseJSONP(scratch)
		}
	})
}
