package sio

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// depthOf returns the depth of valid JSON.
func depthOf(b []byte) (deepest int) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return deepest
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`0`, `0/a?b=c,{"sid":"x"}`, `1/admin,`, `2["foo"]`, `2/admin,12["a\u0062",1,{"x":[]}]`, `3/admin,13["bar"]`, `4{"message":"no"}`, `4"x"`,
		`52-["baz",{"_placeholder":true,"num":0},{"num":1.0,"_place\u0068older":true}]`, `61-15["bar",[{"_placeholder":true,"num":0}]]`,
		`2["\ud800",1e400,-0.0E-1]`, "2 [ 1 ,\t{ } ]\n", `2["x",` + strings.Repeat("[", 600), `2[` + strings.Repeat("9", 99) + `]`,
	} {
		f.Add([]byte(s))
	}
	lim := &Limits{Depth: 70, Args: 100, Namespace: 40, Attachments: 20}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Packet
		err := Parse(b, lim, &p)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("error without a reason")
			}
			return
		}
		if p.Type >= typeCount || p.ID > maxID || p.Attachments > 20 || p.NArgs > 100 || len(p.Namespace) == 0 || p.Namespace[0] != '/' {
			t.Fatalf("%+v", p)
		}
		if p.Data != nil {
			if !json.Valid(p.Data) || !Valid(p.Data, 70) || depthOf(p.Data) > 70 {
				t.Fatalf("accepted payload %q", p.Data)
			}
			if !bytes.HasSuffix(bytes.TrimRight(b, " \t\r\n"), p.Data) {
				t.Fatalf("%q is not the end of %q", p.Data, b)
			}
		}
		checkArgs(t, &p)
		checkReparse(t, lim, &p)

		// The copy of an Assembler has the same content.
		own, q := bytes.Clone(b), p
		var a Assembler
		a.Begin(own, &q)
		if !reflect.DeepEqual(p, q) {
			t.Fatalf("%+v became %+v", p, q)
		}
	})
}

// checkArgs checks that the results of NextArg make up Args, and that NArgs counts them.
func checkArgs(t *testing.T, p *Packet) {
	n, joined := 0, []byte("[")
	for arg, rest := NextArg(p.Args); arg != nil; arg, rest = NextArg(rest) {
		if !Valid(arg, 70) || len(trimSpace(arg)) != len(arg) {
			t.Fatalf("argument %q of %q", arg, p.Args)
		}
		if n++; n > 1 {
			joined = append(joined, ',')
		}
		joined = append(joined, arg...)
	}
	if n != p.NArgs {
		t.Fatalf("%d pieces of %q, NArgs %d", n, p.Args, p.NArgs)
	}
	var want, got bytes.Buffer
	if json.Compact(&got, append(joined, ']')) != nil || json.Compact(&want, []byte("["+string(p.Args)+"]")) != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Fatalf("%q split into %q", p.Args, joined)
	}
}

// checkReparse checks that a parsed packet survives encoding and parsing.
func checkReparse(t *testing.T, lim *Limits, p *Packet) {
	text := []byte{'0' + byte(p.Type)}
	if p.Type.Binary() {
		text = append(makeBinary([]byte("2"), 0, p.Attachments)[1:], text...)
		text = append([]byte{'0' + byte(p.Type)}, text[:len(text)-1]...)
	}
	if string(p.Namespace) != "/" || p.Query != nil {
		text = append(text, p.Namespace...)
		if p.Query != nil {
			text = append(append(text, '?'), p.Query...)
		}
		text = append(text, ',')
	}
	if p.HasID {
		id, _ := json.Marshal(p.ID)
		text = append(text, id...)
	}
	text = append(text, p.Data...)
	var q Packet
	if err := Parse(text, lim, &q); err != nil || !reflect.DeepEqual(*p, q) {
		t.Fatalf("%q: %v\n%+v\n%+v", text, err, *p, q)
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,false,null,"\u00e9\n"]}`, `[[[]]]`, ` 1 `, `"`, `{"a":}`, strings.Repeat("[", 70) + strings.Repeat("]", 70)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := json.Valid(b)
		if got := Valid(b, MaxDepth); got != want {
			t.Fatalf("Valid(%q) = %v", b, got)
		}
		if !want {
			_ = Unmarshal(b, [][]byte{{1}}, new(any))
			return
		}
		d := depthOf(b)
		if !Valid(b, d) || d > 0 && Valid(b, d-1) {
			t.Fatalf("%q is %d deep", b, d)
		}
		var std, ours any
		stdErr, err := json.Unmarshal(b, &std), Unmarshal(b, nil, &ours)
		if (stdErr == nil) != (err == nil) || err == nil && !reflect.DeepEqual(std, ours) {
			t.Fatalf("%q: %#v, %v; encoding/json %#v, %v", b, ours, err, std, stdErr)
		}
		var withAny struct{ V any }
		if err := Unmarshal([]byte(`{"v":`+string(b)+`}`), [][]byte{nil}, &withAny); err == nil && stdErr == nil &&
			!bytes.Contains(b, []byte(`holder`)) && !bytes.Contains(b, []byte(`\`)) && !reflect.DeepEqual(std, withAny.V) {
			t.Fatalf("%q in a struct: %#v", b, withAny.V)
		}
	})
}

func FuzzAssembler(f *testing.F) {
	f.Add(`53-["x",{"_placeholder":true,"num":2}]`, []byte("\x03abc\x00\x05hello"), 100)
	f.Add(`62-1[]`, []byte("\x01a\x01b\x01c"), 1)
	f.Fuzz(func(t *testing.T, text string, script []byte, bytesMax int) {
		var p Packet
		if Parse([]byte(text), nil, &p) != nil || !p.Type.Binary() {
			return
		}
		lim := &Limits{AttachmentBytes: bytesMax}
		var a Assembler
		a.Begin([]byte(text), &p)
		var want [][]byte
		sum := 0
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			data := script[1 : 1+n]
			script = script[1+n:]
			legal := len(want) < p.Attachments && sum+n <= lim.attachmentBytes()
			done, err := a.Add(data, lim)
			if (err == nil) != legal {
				t.Fatalf("%d of %d attachments, %d bytes: %v", len(want)+1, p.Attachments, sum+n, err)
			}
			if err != nil {
				if a.Pending() {
					t.Fatal("pending after an error")
				}
				return
			}
			want, sum = append(want, data), sum+n
			if done != (len(want) == p.Attachments) || a.Pending() == done {
				t.Fatal("done:", done)
			}
			if done {
				break
			}
		}
		if a.Pending() != (len(want) < p.Attachments) {
			t.Fatal("pending:", a.Pending())
		}
		if a.Pending() {
			return
		}
		q, got := a.Take()
		if string(q.Data) != string(p.Data) || len(got) != len(want) {
			t.Fatalf("%q with %d attachments", q.Data, len(got))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("attachment %d: %q", i, got[i])
			}
		}
	})
}

// tree makes values from fuzz input.
type tree struct{ script []byte }

func (s *tree) byte() byte {
	if len(s.script) == 0 {
		return 0
	}
	c := s.script[0]
	s.script = s.script[1:]
	return c
}

func (s *tree) bytes() []byte {
	n := min(int(s.byte()%16), len(s.script))
	b := s.script[:n]
	s.script = s.script[n:]
	return append([]byte{}, b...)
}

func (s *tree) value(depth int) any {
	k := s.byte() % 10
	if depth > 20 && k >= 7 {
		k = 0
	}
	switch k {
	case 1:
		return s.byte()&1 == 0
	case 2:
		return float64(int8(s.byte())) * math.Pow10(int(int8(s.byte())))
	case 3, 4:
		return strings.ToValidUTF8(string(s.bytes()), "?")
	case 5, 6:
		return s.bytes()
	case 7, 8:
		list := []any{}
		for n := s.byte() % 5; n > 0; n-- {
			list = append(list, s.value(depth+1))
		}
		return list
	case 9:
		m := map[string]any{}
		for n := s.byte() % 5; n > 0; n-- {
			m[strings.ToValidUTF8(string(s.bytes()), "?")] = s.value(depth + 1)
		}
		return m
	}
	return nil
}

type envelope struct {
	A any
	B []byte
	C map[string]any
	D blob
	R Raw
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("chat", []byte("\x07\x03\x05\x03abc\x09\x02\x01k\x06\x02xy\x01z\x03\x04text"))
	f.Add("a\"b\xff", []byte("\x09\x04\x0c_placeholder\x01\x00\x03num\x02\x00\x00"))
	f.Fuzz(func(t *testing.T, event string, script []byte) {
		s := tree{script}
		args := []any{s.value(0), s.value(0), s.value(0)}
		args = append(args, envelope{A: args[0], B: []byte("b"), C: map[string]any{"x": args[1]}, D: blob("d"), R: Raw{JSON: []byte(" 1")}})
		for _, list := range [][]any{args, args[:1], args[:3]} {
			out, attachments, err := AppendEvent(nil, "/n", 3, event, list)
			if err != nil {
				if Reserved(event) || bytes.Contains(script, []byte("holder")) {
					return
				}
				t.Fatal(err)
			}
			if !utf8.Valid(out) {
				t.Fatalf("%q is no UTF-8", out)
			}
			var p Packet
			lim := &Limits{Attachments: 1 << 20}
			if err := Parse(out, lim, &p); err != nil {
				t.Fatalf("%q: %v", out, err)
			}
			if p.Attachments != len(attachments) || p.NArgs != len(list) || string(p.Event) != toUTF8(event) || p.ID != 3 {
				t.Fatalf("%q: %+v", out, p)
			}
			checkDecoded(t, &p, attachments, list)
			checkRelayed(t, &p, attachments)
		}
	})
}

// toUTF8 replaces each invalid byte separately, as JSON encoders do.
func toUTF8(s string) string { return string([]rune(s)) }

func checkDecoded(t *testing.T, p *Packet, attachments [][]byte, list []any) {
	rest := p.Args
	for _, want := range list {
		var arg []byte
		arg, rest = NextArg(rest)
		if e, ok := want.(envelope); ok {
			var got envelope
			if err := Unmarshal(arg, attachments, &got); err != nil || !reflect.DeepEqual(got.A, e.A) || !reflect.DeepEqual(got.C, e.C) ||
				string(got.B) != "b" || string(got.D) != "d" || string(got.R.JSON) != "1" {
				t.Fatalf("%q: %#v, %v", arg, got, err)
			}
			continue
		}
		var got any
		if err := Unmarshal(arg, attachments, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %#v, want %#v, %v", arg, got, want, err)
		}
	}
}

// checkRelayed checks that arguments passed on as Raw arrive unchanged.
func checkRelayed(t *testing.T, p *Packet, attachments [][]byte) {
	var list []any
	var before []any
	for arg, rest := NextArg(p.Args); arg != nil; arg, rest = NextArg(rest) {
		var v any
		if err := Unmarshal(arg, attachments, &v); err != nil {
			t.Fatal(err)
		}
		before = append(before, v)
		list = append(list, Raw{arg, attachments})
	}
	out, attachments, err := AppendAck(nil, "/", 1, list)
	if err != nil {
		t.Fatal(err)
	}
	var q Packet
	if err := Parse(out, &Limits{Attachments: 1 << 20}, &q); err != nil {
		t.Fatal(err)
	}
	i := 0
	for arg, rest := NextArg(q.Args); arg != nil; arg, rest = NextArg(rest) {
		var v any
		if err := Unmarshal(arg, attachments, &v); err != nil || !reflect.DeepEqual(v, before[i]) {
			t.Fatalf("%q: %#v, want %#v, %v", arg, v, before[i], err)
		}
		i++
	}
}
