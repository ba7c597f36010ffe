package poller

import (
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for raw, want := range map[string]string{
		":3000":                 "tcp://:3000",
		"127.0.0.1:3000":        "tcp://127.0.0.1:3000",
		"localhost:http":        "tcp://localhost:http",
		"[::1]:3000":            "tcp://[::1]:3000",
		"tcp://[::]:3000":       "tcp://[::]:3000",
		"tcp://0.0.0.0:3000":    "tcp://0.0.0.0:3000",
		"tcp6://:3000":          "tcp6://:3000",
		"tcp://[fe80::1%lo]:80": "tcp://[fe80::1%lo]:80",
		"unix:///run/a b%20c#?": "unix:///run/a b%20c#?",
		"unix://run/../x.sock":  "unix://x.sock",
	} {
		if a, err := parseAddress(raw); err != nil || a.String() != want {
			t.Errorf("%s: %v, %v; want %s", raw, a, err, want)
		}
	}
	for raw, want := range map[string]string{
		"3000":             "missing port",
		"tcp://host":       "missing port",
		"tcp://host:port?": `"port?" is not a port`,
		"http://host:80":   "neither tcp:// nor unix://",
		"unix://":          "has no path",
	} {
		if _, err := parseAddress(raw); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), raw) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
	for _, pair := range [][]string{{":3000", "tcp://:3000"}, {"unix://a", "unix://./a"}} {
		if _, err := parseAddresses(pair); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%q: %v", pair, err)
		}
	}
	if _, err := parseAddresses([]string{":0", ":0"}); err != nil {
		t.Errorf("two ports of the kernel's choice: %v", err)
	}
}
