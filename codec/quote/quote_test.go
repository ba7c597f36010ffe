package quote

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppend(t *testing.T) {
	for in, want := range map[string]string{
		"":                     `""`,
		"plain":                `"plain"`,
		`a"b\c`:                `"a\"b\\c"`,
		"\b\f\n\r\t\x00\x1f":   `"\b\f\n\r\t\u0000\u001f"`,
		"<>&\u2028\x7f":        "\"<>&\u2028\x7f\"",
		"é😀":                   `"é😀"`,
		"\xed\xa0\x80\xe2\x82": "\"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\"", // a lone surrogate, an incomplete character
		"a\xffb\xc3":           "\"a\uFFFDb\uFFFD\"",
		strings.Repeat("x", 40) + "\n" + strings.Repeat("ü", 40): `"` + strings.Repeat("x", 40) + `\n` + strings.Repeat("ü", 40) + `"`,
	} {
		if got := string(Append([]byte("-"), in)); got != "-"+want {
			t.Errorf("%q became %s", in, got)
		}
		if got := string(AppendBytes(nil, []byte(in))); got != want {
			t.Errorf("%q became %s", in, got)
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("a\"\\\x00\xffé" + strings.Repeat("y", 50))
	f.Fuzz(func(t *testing.T, s string) {
		out := Append(nil, s)
		var back string
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := string([]rune(s)); back != want || !utf8.Valid(out) {
			t.Errorf("%q came back as %q", s, back)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for name, s := range map[string]string{
		"short": "message", "ascii": strings.Repeat("hello, world ", 20), "escapes": strings.Repeat("line\n", 50), "unicode": strings.Repeat("grüße 😀 ", 20),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(s)))
			buf := make([]byte, 0, 1<<10)
			for b.Loop() {
				buf = Append(buf[:0], s)
			}
		})
	}
}

func TestScan(t *testing.T) {
	for text, want := range map[string]int{
		"0": 1, "-0,": 2, "10]": 2, "1.5e+3 ": 6, "1E9": 3, "01": -1, "-": -1, "1.": -1, "1e": -1, "1e+": -1, ".5": -1, "x": -1,
	} {
		if got := ScanNumber([]byte(text), 0); got != want {
			t.Errorf("number %q ends at %d, not %d", text, got, want)
		}
	}
	for text, want := range map[string]int{
		"": -1, "n": 1, `"x`: 1, "/": 1, "u00e9": 5, "ud83dx": 5, "uD8": -1, "u00g0": -1, "x": -1,
	} {
		if got := ScanEscape([]byte(text), 0); got != want {
			t.Errorf("escape %q ends at %d, not %d", text, got, want)
		}
	}
}
