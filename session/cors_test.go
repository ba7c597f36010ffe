package session

import (
	"strings"
	"testing"
	"time"
)

// Origins that no browser sends are errors, which tell the right spelling.
func TestOriginSpelling(t *testing.T) {
	for o, want := range map[string]string{ // "" is none
		"https://app.example": "", "http://app.example:8080": "", "https://localhost:3000": "", "http://127.0.0.1": "", "http://[::1]:3000": "",
		"https://xn--bcher-kva.example": "", "http://a_b.example": "", "null": "", "file://": "", "capacitor://localhost": "", "app://.": "",
		"chrome-extension://abcdefghijklmnop": "", "http://a": "", "https://app.example:80": "",

		"https://app.example/":           `it has a path; write "https://app.example"`,
		"https://app.example/chat":       `it has a path; write "https://app.example"`,
		"https://app.example:8443/":      `it has a path; write "https://app.example:8443"`,
		"https://app.example?x":          `it has a path; write "https://app.example"`,
		"capacitor://localhost/":         `it has a path; write "capacitor://localhost"`,
		"app.example":                    `it has no scheme; write "https://app.example"`,
		"app.example:8080":               `it has no scheme; write "https://app.example:8080"`,
		"//app.example/":                 `it has no scheme; write "https://app.example"`,
		"localhost:3000":                 `it has no scheme; write "https://localhost:3000"`,
		"HTTPS://app.example":            `its scheme has capitals; write "https://app.example"`,
		"https://App.example":            `its host has capitals; write "https://app.example"`,
		"https://app.example:443":        `the port of its scheme is left out; write "https://app.example"`,
		"http://app.example:80":          `the port of its scheme is left out; write "http://app.example"`,
		"http://app.example:":            `the port of its scheme is left out; write "http://app.example"`,
		"http://app.example:08080":       `its port begins with a zero; write "http://app.example:8080"`,
		"wss://app.example":              `also for WebSockets; write "https://app.example"`,
		"ws://app.example:3000":          `also for WebSockets; write "http://app.example:3000"`,
		"https://me@app.example":         `it has a user; write "https://app.example"`,
		"http://[0:0::1]:3000":           `its address is written shorter; write "http://[::1]:3000"`,
		"https://*.example":              `patterns are for CORS.Match`,
		"https://b\xc3\xbccher.example":  `not in ASCII`,
		"https://app.example:x":          `its port is no number`,
		"https://app.example:70000":      `its port is no number`,
		"https://":                       `it has no host`,
		"https://[::g]":                  `no IPv6 address`,
		"https://a%20b":                  `its host has '%'`,
		"":                               `no origin`,
		"https://a.example, https://b.e": `no origin`,
	} {
		err := Check(Config{CORS: CORS{Origins: []string{"https://first.example", o}}})
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", o, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "Config.CORS.Origins has ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", o, err, want)
		}
		// What is told is taken.
		if _, right, found := strings.Cut(want, "; write "); found {
			if err := CheckOrigin(strings.Trim(right, `"`)); err != nil {
				t.Errorf("%q: %v", right, err)
			}
		}
	}
}

// Settings that browsers do not heed are errors.
func TestCORSThatCannotWork(t *testing.T) {
	some := []string{"https://app.example"}
	for name, c := range map[string]struct {
		cors CORS
		want string // "" is none
	}{
		"any":                           {CORS{Origins: []string{"*"}}, ""},
		"any with names":                {CORS{Origins: []string{"*"}, Methods: []string{"*"}, Headers: []string{"*"}, Exposed: []string{"*"}}, ""},
		"credentials":                   {CORS{Origins: some, Credentials: true, Methods: []string{"GET"}}, ""},
		"credentials of matched":        {CORS{Match: func(string) bool { return true }, Credentials: true}, ""},
		"any with credentials":          {CORS{Origins: []string{"*"}, Credentials: true}, "Config.CORS.Credentials"},
		"any method with credentials":   {CORS{Origins: some, Credentials: true, Methods: []string{"*"}}, "Config.CORS.Methods"},
		"any header with credentials":   {CORS{Origins: some, Credentials: true, Headers: []string{"*"}}, "Config.CORS.Headers"},
		"all exposed with credentials":  {CORS{Origins: some, Credentials: true, Exposed: []string{"*"}}, "Config.CORS.Exposed"},
		"any beside others":             {CORS{Origins: []string{"*", "https://app.example"}}, "stands alone"},
		"credentials of nobody":         {CORS{Credentials: true}, "neither Origins nor Match"},
		"age for nobody":                {CORS{MaxAge: time.Hour}, "neither Origins nor Match"},
		"fields for nobody":             {CORS{Exposed: []string{"X-A"}}, "neither Origins nor Match"},
		"own host where all may come":   {CORS{Origins: some, SameHost: true}, "SameHost needs Enforce"},
		"own host, enforced for nobody": {CORS{SameHost: true, Enforce: true}, "Enforce needs Origins or Match"},
	} {
		err := Check(Config{CORS: c.cors})
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// The requests that pass when origins are enforced.
func TestOriginAllowed(t *testing.T) {
	cors := CORS{Origins: []string{"https://app.example", "http://localhost:8080"}, Enforce: true, SameHost: true}
	same := cors.table()
	cors.SameHost = false
	listed := cors.table()
	for _, c := range []struct {
		origin, host   string
		listed, asHost bool
	}{
		{"", "node.example", true, true},
		{"https://app.example", "node.example", true, true},
		{"http://localhost:8080", "node.example", true, true},
		{"http://node.example", "node.example", false, true},
		{"https://NODE.example:3000", "node.example:3000", false, true},
		{"https://node.example", "node.example:3000", false, false},
		{"https://app.example.evil.example", "node.example", false, false},
		{"http://app.example", "node.example", false, false},
		{"https://app.example:444", "node.example", false, false},
		{"null", "node.example", false, false},
		{"null", "", false, false},
		{"https://", "", false, false},
		{"*", "node.example", false, false},
	} {
		if got := listed.allowed([]byte(c.origin), []byte(c.host)); got != c.listed {
			t.Errorf("origin %q, host %q: %v, want %v", c.origin, c.host, got, c.listed)
		}
		if got := same.allowed([]byte(c.origin), []byte(c.host)); got != c.asHost {
			t.Errorf("same host, origin %q, host %q: %v, want %v", c.origin, c.host, got, c.asHost)
		}
	}
}
