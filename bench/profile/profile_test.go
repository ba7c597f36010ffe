package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// minimal is the smallest profile; tests append to it.
const minimal = "target: http://127.0.0.1:1\nstages: [{users: 1, hold: 1s}]\n"

func TestSampleIsValidAndNamesEveryKey(t *testing.T) {
	p, err := Read("sample.yaml", Sample())
	if err != nil {
		t.Fatal(err)
	}
	if p.most() != 50 || p.Publish.Rate != 20 || p.matching() != byMark {
		t.Errorf("%+v", p)
	}
	for _, s := range structs {
		for i := range s.NumField() {
			if key := s.Field(i).Tag.Get("yaml"); key != "" && !bytes.Contains(Sample(), []byte(key+":")) {
				t.Errorf("the sample does not have %s.%s", s.Name(), key)
			}
		}
	}
	for _, name := range counts {
		if !bytes.Contains(Sample(), []byte(name)) {
			t.Errorf("the sample does not name the figure %s", name)
		}
	}
}

// What is commented out in the sample is right as well.
func TestSampleWithEverythingUncommented(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte("token,room\na,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"path: /socket.io/", "query:", "headers: {Origin", "auth:", "wait_for:", "settle:", "users: 1 ", "- lost < 5",
	} {
		text := string(Sample())
		if key == "auth:" {
			text = strings.Replace(text, "#  data:", "  data:", 1)
		}
		text = strings.Replace(text, "#  "+key, "  "+key, 1)
		if text == string(Sample()) {
			t.Fatalf("the sample has no %q", key)
		}
		if _, err := Read(filepath.Join(dir, "p.yaml"), []byte(text)); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "p.yaml")
	if err := os.WriteFile(filepath.Join(dir, "empty.csv"), []byte("token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ text, line, want string }{
		{"", "", "siren bench init"},
		{"a: [", "", "did not find"},
		{"stages: [{users: 1, hold: 1s}]\n", "", "target: is missing"},
		{"target: ftp://x\nstages: [{users: 1, hold: 1s}]\n", "1", "no URL of a server"},
		{minimal + "conect: {}\n", "3", `unknown key "conect"; known here: target, connect, join`},
		{minimal + "connect:\n  namspace: /\n", "4", `unknown key "namspace"; known here: namespace`},
		{minimal + "connect: {tls: {cafile: x}}\n", "3", `unknown key "cafile"; known here: ca_file`},
		{minimal + "connect: {timeout: soon}\n", "3", `want a duration such as 10s, not "soon"`},
		{minimal + "connect: {in_flight: many}\n", "3", `want a whole number, not "many"`},
		{minimal + "connect: {in_flight: -1}\n", "3", "connect.in_flight: want a number"},
		{minimal + "connect: {namespace: chat}\n", "3", "no namespace"},
		{minimal + "connect: {transports: [carrier-pigeon]}\n", "3", "want [websocket]"},
		{minimal + "connect: {transports: [websocket, polling]}\n", "3", "want [websocket]"},
		{minimal + "connect: {path: x}\n", "3", "must begin with a slash"},
		{minimal + "connect: {data: nowhere.csv}\n", "3", "no such file"},
		{minimal + "connect: {data: empty.csv}\n", "3", "a line for each user"},
		{minimal + "connect: {auth: {token: '{{token}}'}}\n", "3", "{{token}} is unknown"},
		{minimal + "connect: {auth: [1]}\n", "3", "want a mapping, not a list"},
		{minimal + "connect: {tls: {insecure: true}}\n", "3", "is for https://"},
		{minimal + "connect: {tls: {cert_file: a}}\n", "3", "needs key_file"},
		{minimal + "connect: {tls: {ca_file: p.yaml}}\n", "3", "ca_file"},
		{minimal + "join: {args: [1]}\n", "3", "join.emit: is missing"},
		{minimal + "join: {emit: connect}\n", "3", "reserved by Socket.IO"},
		{minimal + "join: {emit: a, ack_error: '0.e'}\n", "3", "needs ack: true"},
		{minimal + "join: {emit: a, args: ['{{mark}}']}\n", "3", "belong to a publication"},
		{minimal + "publish: {rate: 5}\n", "3", "want either emit or http"},
		{minimal + "publish: {emit: a, http: {url: 'http://x/'}, rate: 5}\n", "3", "want either emit or http"},
		{minimal + "publish: {emit: a, rate: fast}\n", "3", "want a rate such as 50/s"},
		{minimal + "publish: {emit: a, rate: -1}\n", "3", "want a rate from 0"},
		{minimal + "publish: {emit: a, args: ['{{pad:x}}']}\n", "3", "want a length"},
		{minimal + "publish: {emit: a, ack: true, ack_error: error}\n", "3", "no place in an event"},
		{minimal + "publish: {http: {url: x}}\n", "3", "no URL of a request"},
		{minimal + "publish: {http: {url: 'http://x/', in_flight: -1}}\n", "3", "want a number from 1"},
		{minimal + "publish: {emit: a}\nexpect: {to: nobody, event: b}\n", "4", "everyone, others or sender"},
		{minimal + "expect: {event: b, to: others}\n", "3", "needs publish"},
		{minimal + "expect: {event: b, time_unit: h}\n", "3", "want s, ms, us or ns"},
		{minimal + "expect: {event: b, sequence: n}\n", "3", "no place in an event"},
		{minimal + "publish: {emit: a}\nexpect: {event: b, sequence: '0'}\n", "4", "needs {{sequence}}"},
		{minimal + "thresholds: [p99]\n", "3", "no condition"},
		{minimal + "thresholds: [latency < 5ms]\n", "3", `unknown figure "latency"`},
		{minimal + "thresholds: [p101 < 5ms]\n", "3", "unknown figure"},
		{minimal + "thresholds: [p99 < 5parsecs]\n", "3", "unknown unit"},
		{minimal + "thresholds: [missing == 5ms]\n", "3", "has no unit"},
		{"target: http://h\nstages: []\n", "2", "want 1 to"},
		{"target: http://h\nstages: [{users: 5}]\n", "2", "takes no time"},
		{"target: http://h\nstages: [{hold: 5s}]\n", "2", "have no users"},
		{"target: http://h\nstages: [{users: 1, hold: 5s, rate: 4}]\n", "2", "needs publish"},
		{"target: http://h\nstages: [{users: 1, hold: 23h}, {hold: 23h}]\n", "2", "take 46h"},
		{minimal + "---\na: 1\n", "", "a second document"},
	} {
		_, err := Read(name, []byte(tt.text))
		place := name + ":" + tt.line
		if err == nil || !errors.Is(err, ErrProfile) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), place) {
			t.Errorf("%q: %v, want %q at %s", tt.text, err, tt.want, place)
		}
	}
}

// All faults are told at once.
func TestReadTellsAllFaults(t *testing.T) {
	_, err := Read("p.yaml", []byte("target: x\nconnect: {namespace: y}\nstages: []\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add(Sample())
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Read("p.yaml", text)
		if err == nil && (p.most() < 1 || p.length() <= 0) {
			t.Errorf("%q has no users or takes no time", text)
		}
	})
}

func TestStages(t *testing.T) {
	p, err := Read("p.yaml", []byte(`
target: http://h
publish: {emit: a, rate: 60/m}
stages:
  - {users: 100, ramp: 10s}
  - {hold: 5s, rate: 7}
  - {users: 50, ramp: 10s, hold: 5s}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at    time.Duration
		users int
		rate  float64
	}{
		{0, 0, 1}, {time.Second, 10, 1}, {9999 * time.Millisecond, 99, 1}, {10 * time.Second, 100, 7}, {15 * time.Second, 100, 7},
		{20 * time.Second, 75, 7}, {26 * time.Second, 50, 7}, {time.Hour, 50, 7},
	} {
		if users, rate := p.at(tt.at); users != tt.users || rate != tt.rate {
			t.Errorf("%v: %d users at rate %v, want %d and %v", tt.at, users, rate, tt.users, tt.rate)
		}
	}
	if p.length() != 30*time.Second || p.most() != 100 {
		t.Errorf("%v, %d", p.length(), p.most())
	}
}

func TestThresholds(t *testing.T) {
	for _, tt := range []struct {
		text  string
		value float64
		ok    bool
	}{
		{"p99 < 50ms", 49_999, true}, {"p99 < 50ms", 50_000, false}, {"p(99)<50", 49_000, true}, {"p99.9 <= 1s", 1e6, true},
		{"connect_p95 < 1s", 2e6, false}, {"connect_p(95) < 300us", 299, true}, {"avg >= 2m", 120e6, true},
		{"missing == 0", 0, true}, {"missing === 0", 1, false}, {"rate > 100/s", 101, true}, {"client_cpu < 80%", 0.79, true},
		{"lost != 3", 3, false}, {"p100 < 5ms", 4000, true},
	} {
		c, err := parseThreshold(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if out := c.judge(tt.value, true); out.OK != tt.ok || *out.Value != tt.value {
			t.Errorf("%s with %v: %+v", tt.text, tt.value, out)
		}
		if out := c.judge(0, false); out.OK || out.Value != nil || !strings.Contains(out.String(), "nothing was measured") {
			t.Errorf("%s without a figure: %v", tt.text, out)
		}
	}
}

// A fault without a threshold must not happen; one with a threshold is judged by that alone.
func TestImpliedThresholds(t *testing.T) {
	p, err := Read("p.yaml", []byte(minimal+"thresholds: [missing < 5, p99 < 1s]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range p.conditions() {
		list = append(list, c.String())
	}
	want := []string{"missing < 5", "p99 < 1s", "connect_failed == 0", "lost == 0", "publish_failed == 0", "unanswered == 0",
		"duplicated == 0", "reordered == 0", "malformed == 0"}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("%q", list)
	}
}

func TestTemplates(t *testing.T) {
	v := &values{user: 6, sequence: 12, micros: 34, tag: "abcd", row: map[string]string{"name": `O"Neil`, "n": "5"}}
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"plain", `"plain"`}, {"{{sequence}}", `12`}, {"{{ time }}", `34`}, {"{{user}}", `7`}, {"no {{sequence}}", `"no 12"`},
		{"{{mark}}", `"siren:abcd:12:34;"`}, {"<{{name}}>", `"\u003cO\"Neil\u003e"`}, {"{{n}}", `"5"`}, {"{{pad:3}}", `"xxx"`},
		{map[string]any{"b": []any{1, true, nil, "{{user}}"}, "a\"": "x"}, `{"a\"":"x","b":[1,true,null,7]}`},
		{"{ {user} }", `"{ {user} }"`},
	} {
		c, err := compileJSON(tt.value, []string{"name", "n"})
		if err != nil {
			t.Errorf("%v: %v", tt.value, err)
			continue
		}
		if got := v.text(c); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.value, got, tt.want)
		}
	}
	c, err := compileText("Bearer {{name}}", []string{"name"})
	if got := v.text(c); err != nil || got != `Bearer O"Neil` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestPaths(t *testing.T) {
	args := []byte(`{"n":7,"list":[{"a":"9"},null],"e":null,"big":1.5e3},"text",false`)
	for _, tt := range []struct {
		path   string
		number int64
		ok     bool
		value  string
		there  bool
	}{
		{"0.n", 7, true, "7", true}, {"0.list.0.a", 9, true, `"9"`, true}, {"0.list.1", 0, false, "", false},
		{"0.list.2", 0, false, "", false}, {"1", 0, false, `"text"`, true}, {"2", 0, false, "", false}, {"3", 0, false, "", false},
		{"0.e", 0, false, "", false}, {"0.none", 0, false, "", false}, {"1.x", 0, false, "", false}, {"0.big", 1500, true, "1.5e3", true},
	} {
		p, err := parsePath(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := p.number(args); n != tt.number || ok != tt.ok {
			t.Errorf("%s: %d, %v", tt.path, n, ok)
		}
		if text, ok := p.present(args); text != tt.value || ok != tt.there {
			t.Errorf("%s: %q, %v", tt.path, text, ok)
		}
	}
}

func TestMarks(t *testing.T) {
	v := &values{sequence: 12, micros: 34, tag: "abcd"}
	mark := string(appendMark(nil, v))
	for _, tt := range []struct {
		args string
		ok   bool
	}{
		{`"` + mark + `"`, true}, {`{"user":"x","message":"said: ` + mark + `!"}`, true}, {`"siren:other:1:2;"`, false},
		{`"siren:abcd:1"`, false}, {`"siren:abcd:-1:2;"`, false}, {`"siren:abcd:x:2;"`, false}, {``, false},
	} {
		if n, micros, ok := findMark([]byte(tt.args), "abcd"); ok != tt.ok || ok && (n != 12 || micros != 34) {
			t.Errorf("%s: %d, %d, %v", tt.args, n, micros, ok)
		}
	}
}

func FuzzPathsAndMarks(f *testing.F) {
	f.Add("0.a.0", []byte(`{"a":[1]}`))
	f.Add("1", []byte(`1,"siren:abcd:1:2;"`))
	f.Fuzz(func(t *testing.T, text string, args []byte) {
		if n, _, ok := findMark(args, "abcd"); ok && n < 0 {
			t.Error("a negative number")
		}
		p, err := parsePath(text)
		if err != nil || p == nil || !validArgs(args) {
			return
		}
		p.number(args)
		p.present(args)
	})
}

// validArgs reports whether args is a list of JSON values, as the codec passes on.
func validArgs(args []byte) bool { return json.Valid(append(append([]byte("["), args...), ']')) }
