package wsframe

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws/wsutil"
)

// texts has valid and invalid texts at the borders of what is UTF-8.
var texts = []struct {
	name string
	s    string
	ok   bool
}{
	{"empty", "", true},
	{"ASCII", "Hello", true},
	{"NUL", "\x00", true},
	{"long ASCII", "0123456789abcdef0123456789abcdef", true},
	{"mixed", "Hello-µ@ßöäüàá-UTF-8!!", true},
	{"Greek", "κόσμε", true},
	{"first of each length", "\x00\u0080\u0800\U00010000", true},
	{"last of each length", "\x7f\u07ff\uffff\U0010ffff", true},
	{"beside the surrogates", "\ud7ff\ue000", true},
	{"replacement character", "\ufffd", true},
	{"non-characters", "\ufffe\uffff\U0001fffe\U0010fffe", true},
	{"continuation byte", "\x80", false},
	{"continuation bytes", "ab\x80\xbf\x80", false},
	{"two-byte rune cut", "\xce", false},
	{"three-byte rune cut", "\xe2\x82", false},
	{"four-byte rune cut", "\xf0\x9f\x98", false},
	{"cut, then ASCII", "\xe2\x82a", false},
	{"cut, then another start", "\xf0\x9f\xf0\x9f\x98\x80", false},
	{"overlong slash, two", "\xc0\xaf", false},
	{"overlong slash, three", "\xe0\x80\xaf", false},
	{"overlong slash, four", "\xf0\x80\x80\xaf", false},
	{"overlong last, two", "\xc1\xbf", false},
	{"overlong last, three", "\xe0\x9f\xbf", false},
	{"overlong last, four", "\xf0\x8f\xbf\xbf", false},
	{"surrogate first", "\xed\xa0\x80", false},
	{"surrogate last", "\xed\xbf\xbf", false},
	{"surrogate pair", "\xed\xa1\x8c\xed\xbe\xb4", false},
	{"above the last rune", "\xf4\x90\x80\x80", false},
	{"five bytes", "\xf8\x88\x80\x80\x80", false},
	{"six bytes", "\xfc\x84\x80\x80\x80\x80", false},
	{"FE", "\xfe", false},
	{"FF", "\xff", false},
	{"good, bad, good", "κόσμε\xed\xa0\x80edited", false},
}

func TestUTF8EverySplit(t *testing.T) {
	for _, c := range texts {
		if utf8.ValidString(c.s) != c.ok {
			t.Fatalf("%s: the table is wrong", c.name)
		}
		for first := 0; first <= len(c.s); first++ {
			for second := first; second <= len(c.s); second++ {
				var u UTF8
				ok := u.Feed([]byte(c.s[:first])) && u.Feed([]byte(c.s[first:second])) &&
					u.Feed([]byte(c.s[second:])) && u.Complete()
				if ok != c.ok {
					t.Errorf("%s cut at %d and %d: %v", c.name, first, second, ok)
				}
			}
		}
	}
}

// All sequences of up to three relevant bytes, and sequences of four bytes that
// start like a rune of three or four, are accepted or refused at the same byte as by
// an independent validator.
func TestUTF8RefusesAtTheFirstByte(t *testing.T) {
	marks := []byte{0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
		0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xfe, 0xff}
	var walk func(prefix []byte)
	walk = func(prefix []byte) {
		checkBytewise(t, prefix)
		if len(prefix) == 4 || len(prefix) == 3 && prefix[0] < 0xe0 {
			return
		}
		for _, m := range marks {
			walk(append(prefix[:len(prefix):len(prefix)], m))
		}
	}
	walk(nil)
}

func checkBytewise(t *testing.T, s []byte) {
	t.Helper()
	var u UTF8
	theirs := wsutil.NewUTF8Reader(bytes.NewReader(s))
	for i := range s {
		var one [1]byte
		_, err := theirs.Read(one[:])
		if ok := u.Feed(s[i : i+1]); ok != (err == nil) {
			t.Fatalf("% x: byte %d: %v, gobwas/ws says %v", s, i, ok, err)
		}
		if err != nil {
			if u.Feed(nil) || u.Feed([]byte("a")) || u.Complete() {
				t.Fatalf("% x: accepted after it was refused", s)
			}
			return
		}
		if u.Complete() != theirs.Valid() {
			t.Fatalf("% x: byte %d: complete %v", s, i, u.Complete())
		}
	}
	u.Reset()
	if !u.Complete() || !u.Feed([]byte("ok")) {
		t.Fatal("not ready after Reset")
	}
}

func TestUTF8Allocations(t *testing.T) {
	p := []byte("abcdefgh😀ijklmnop😀")
	if n := testing.AllocsPerRun(100, func() {
		var u UTF8
		if !u.Feed(p[:10]) || !u.Feed(p[10:]) || !u.Complete() {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzUTF8(f *testing.F) {
	for _, c := range texts {
		f.Add([]byte(c.s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, s []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		var u UTF8
		ok := true
		for rest := s; len(rest) > 0 && ok; {
			n := 1 + random.IntN(len(rest))
			ok = u.Feed(rest[:n])
			rest = rest[n:]
		}
		if got := ok && u.Complete(); got != utf8.Valid(s) {
			t.Fatalf("%q: %v", s, got)
		}
		checkBytewise(t, s)
	})
}
