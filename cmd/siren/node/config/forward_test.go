package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Requests are passed on only with a secret, and where other nodes can find the node.
func TestForward(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("a secret that all nodes know\n")
	for name, test := range map[string]struct{ text, want string }{
		"good":           {"{listen: '127.0.0.1:7000', secret_file: " + good + ", peers: ['h:1', '[::1]:2']}", ""},
		"advertised":     {"{listen: ':7000', advertise: h, secret_file: " + good + "}", ""},
		"no secret":      {"{listen: '127.0.0.1:7000'}", "forward.listen: needs a secret"},
		"short secret":   {"{listen: '127.0.0.1:7000', secret_file: " + file("short") + "}", "forward.secret_file: has a secret of 5"},
		"two secrets":    {"{listen: '127.0.0.1:7000', secret_file: " + file(strings.Repeat("a", 16)+"\nb") + "}", "has 2 lines"},
		"no address":     {"{listen: ':7000', secret_file: " + good + "}", "set forward.advertise"},
		"all of IPv6":    {"{listen: '[::]:7000', secret_file: " + good + "}", "set forward.advertise"},
		"unix":           {"{listen: 'unix:///x', secret_file: " + good + "}", "is not host:port"},
		"bad peer":       {"{listen: '127.0.0.1:7000', secret_file: " + good + ", peers: [h]}", "missing port"},
		"peers alone":    {"{peers: ['h:1']}", "forward.peers: needs forward.listen"},
		"two processes":  {"{listen: '127.0.0.1:7000', secret_file: " + good + "}\nreuse_port: true", "use port 0"},
		"two processes ": {"{listen: '127.0.0.1:0', secret_file: " + good + "}\nreuse_port: true", ""},
	} {
		_, err := load(t, "forward: "+test.text+"\n", nil, nil)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
