package million

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

// What is wrong with a server process is told, and no process is left behind: startServer waits for its end.
func TestServerProcessFails(t *testing.T) {
	for _, tc := range []struct {
		name    string
		command []string
		want    string
	}{
		{"no command", nil, "no command"},
		{"no program", []string{"/nowhere/siren"}, "no such file"},
		{"ends at once", []string{"false"}, "does not answer"},
		{"talks nonsense", []string{"sh", "-c", "echo nonsense; cat"}, "does not answer"},
		{"says why", []string{"sh", "-c", `echo '{"err":"server: the port is taken"}'; cat`}, "does not start: the port is taken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := startServer(tc.command, job{})
			if p != nil || !errors.Is(err, errServer) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// The server process refuses jobs that it does not understand, and says on which address it cannot listen.
func TestServeRefuses(t *testing.T) {
	for _, in := range []string{"", "{}", "nonsense\n"} {
		var out strings.Builder
		if err := Serve(strings.NewReader(in), &out); !errors.Is(err, errServer) || out.Len() > 0 {
			t.Errorf("%q: %v, %q", in, err, out.String())
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var out strings.Builder
	err = Serve(strings.NewReader(fmt.Sprintf("{\"addr\":%q}\n", taken.Addr())), &out)
	if err == nil || !strings.HasPrefix(out.String(), `{"err":"`) || !strings.Contains(out.String(), "in use") {
		t.Errorf("%v: %s", err, out.String())
	}
}
