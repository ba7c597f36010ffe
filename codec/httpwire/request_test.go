package httpwire

import (
	"net/url"
	"slices"
	"testing"
	"unsafe"
)

func parsed(t *testing.T, fields string) *Request {
	t.Helper()
	var p Parser
	var r Request
	stream := []byte("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n")
	if n, err := p.Parse(stream, nil, &r); n != len(stream) || err != nil {
		t.Fatal(n, err)
	}
	return &r
}

func TestGetAndValues(t *testing.T) {
	r := parsed(t, "X-One: 1\r\nx-many: a\r\nX-Empty:\r\nX-MANY: b, c\r\nX^Y: caret\r\n")
	for name, want := range map[string]string{"x-one": "1", "X-Many": "a", "x-empty": "", "x^y": "caret"} {
		if got := r.Get(name); got == nil || string(got) != want {
			t.Errorf("Get(%q) = %q", name, got)
		}
	}
	for _, name := range []string{"", "X-On", "X-Onee", "x~y"} { // ^ and ~ differ in the bit of case only
		if got := r.Get(name); got != nil {
			t.Errorf("Get(%q) = %q", name, got)
		}
	}
	var got []string
	for v := range r.Values("X-Many") {
		got = append(got, string(v))
	}
	if !slices.Equal(got, []string{"a", "b, c"}) {
		t.Errorf("Values = %q", got)
	}
	for range r.Values("X-Many") {
		break
	}
}

func TestHasToken(t *testing.T) {
	r := parsed(t, "Connection: keep-alive,\t UPGRADE ,,\r\nUpgrade: h2c\r\nUpgrade: WebSocket\r\nConnection:\r\n")
	for _, c := range []struct {
		name, token string
		want        bool
	}{
		{"connection", "upgrade", true}, {"Connection", "Keep-Alive", true}, {"Connection", "close", false},
		{"Connection", "keep", false}, {"Upgrade", "websocket", true}, {"upgrade", "h2", false}, {"None", "x", false},
	} {
		if got := r.HasToken(c.name, c.token); got != c.want {
			t.Errorf("HasToken(%q, %q) = %v", c.name, c.token, got)
		}
	}
}

func TestClose(t *testing.T) {
	for fields, want := range map[string]bool{
		"": false, "Connection: close\r\n": true, "Connection: foo, Close\r\n": true, "Connection: keep-alive\r\nConnection: close\r\n": true,
		"Connection: closed\r\n": false, "Connection: upgrade\r\n": false,
	} {
		if got := parsed(t, fields).Close; got != want {
			t.Errorf("%q: Close = %v", fields, got)
		}
	}
}

func TestRequestReset(t *testing.T) {
	r := parsed(t, "A: b\r\n")
	fields := r.Fields
	r.Reset()
	if r.Head != nil || len(r.Fields) != 0 || cap(r.Fields) != cap(fields) || fields[0].Name != nil {
		t.Errorf("%+v %+v", r, fields)
	}
	r.Reset()
	(&Request{}).Reset()
}

func TestQueryGet(t *testing.T) {
	for _, c := range []struct {
		query, key, want string
		ok               bool
	}{
		{"", "a", "", false}, {"a=1&b=2", "b", "2", true}, {"a=1&a=2", "a", "1", true}, {"&&a=1&", "a", "1", true},
		{"a", "a", "", true}, {"a=", "a", "", true}, {"a=b=c", "a", "b=c", true}, {"ab=1", "a", "", false}, {"a=1", "ab", "", false},
		{"a=x+y%20z%2b%C3%A9", "a", "x y z+\u00e9", true}, {"%61%3D+=1", "a= ", "1", true}, {"E%49O=4", "EIO", "4", true},
		{"a=%", "a", "%", true}, {"a=%4", "a", "%4", true}, {"a=%4g%zz%41", "a", "%4g%zzA", true}, {"%=1", "%", "1", true},
		{"tr=1&t=2", "t", "2", true}, {"ta&t", "t", "", true}, {"+=1&%20=2", " ", "1", true}, {"a+=1", "a+", "", false},
		{"a%2B=1", "a+", "1", true}, {"&=v", "", "v", true}, {"&&", "", "", false}, {"%74=1&t=2", "t", "1", true},
		{"=v", "", "v", true}, {"a=1;b=2", "b", "", false},
	} {
		got, ok := QueryGet([]byte(c.query), c.key)
		if string(got) != c.want || ok != c.ok {
			t.Errorf("QueryGet(%q, %q) = %q, %v", c.query, c.key, got, ok)
		}
	}
	query := []byte("x=%20&sid=abc&t=1")
	if got, _ := QueryGet(query, "sid"); unsafe.SliceData(got) != &query[10] {
		t.Error("a value without escapes is not a view")
	}
}

// QueryGet agrees with net/url on every query that net/url can parse.
func FuzzQueryGet(f *testing.F) {
	f.Add("EIO=4&transport=polling&sid=a%20b+c", "sid")
	f.Add("%61=%zz&a=1&&=", "a")
	f.Fuzz(func(t *testing.T, query, key string) {
		got, ok := QueryGet([]byte(query), key)
		if len(got) > len(query) {
			t.Fatalf("%d bytes out of %d", len(got), len(query))
		}
		want, err := url.ParseQuery(query)
		if err != nil {
			return // broken escapes, or a semicolon
		}
		if want.Has(key) != ok && key != "" || want.Get(key) != string(got) && want.Has(key) {
			t.Fatalf("QueryGet(%q, %q) = %q, %v; net/url has %q", query, key, got, ok, want[key])
		}
	})
}

func TestSingle(t *testing.T) {
	var r Request
	head := "GET / HTTP/1.1\r\nHost: h\r\nKey: a\r\nTwice: b\r\nkey2:\r\nTWICE: b\r\nThrice: c\r\nThrice: d\r\nThrice: e\r\n"
	if err := ParseHead([]byte(head), &r); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, value string
		ok          bool
	}{{"KEY", "a", true}, {"Key2", "", true}, {"Twice", "", false}, {"Thrice", "", false}, {"None", "", false}} {
		if v, ok := r.Single(c.name); string(v) != c.value || ok != c.ok {
			t.Errorf("%s: %q %v", c.name, v, ok)
		}
	}
}
