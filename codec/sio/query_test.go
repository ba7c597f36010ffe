package sio

import (
	"encoding/json"
	"net/url"
	"testing"
	"unicode/utf8"
)

// The query after a namespace in protocol 3.
func TestAppendQuery(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"a=1":                   `{"a":"1"}`,
		"token=x&id=%22y%22":    `{"token":"x","id":"\"y\""}`,
		"a=1&b=2&a=3":           `{"a":"3","b":"2"}`,
		"a":                     `{"a":""}`,
		"=v":                    `{"":"v"}`,
		"&&":                    `{}`,
		"a=b=c":                 `{"a":"b=c"}`,
		"a=1+2%2B3%20":          `{"a":"1 2+3 "}`,
		"a=%zz%41+%4":           `{"a":"%zzA %4"}`,
		"a=%ff%C3%A9":           "{\"a\":\"\ufffdé\"}",
		"a=\xff":                "{\"a\":\"\ufffd\"}",
		"__proto__=1&auth=é%0a": `{"__proto__":"1","auth":"é\n"}`,
	} {
		if got := string(AppendQuery([]byte("pre"), []byte(in)))[len("pre"):]; got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// For any query the payload is an object of strings with the values of a form.
func FuzzAppendQuery(f *testing.F) {
	for _, s := range []string{"a=1&b=%20", "%zz=%41&a=+", "=&=", "a=%f0%9f%98%80\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, query []byte) {
		out := AppendQuery(nil, query)
		if len(query) == 0 {
			return
		}
		var got map[string]string
		if err := json.Unmarshal(out, &got); err != nil || !utf8.Valid(out) {
			t.Fatalf("%q: %q: %v", query, out, err)
		}
		want, err := url.ParseQuery(string(query))
		if err != nil || !utf8.Valid(query) {
			return
		}
		for name, values := range want {
			last := values[len(values)-1]
			if utf8.ValidString(name) && utf8.ValidString(last) && got[name] != last {
				t.Fatalf("%q: %q = %q, want %q", query, name, got[name], last)
			}
		}
	})
}
