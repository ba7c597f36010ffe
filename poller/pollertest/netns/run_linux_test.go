package netns

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The namespace is another one than ours: it has the loopback interface alone, as it was asked for, and our ports are
// not there.
func TestRunIsolates(t *testing.T) {
	outside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	if os.Getenv(insideEnv) == "" {
		t.Setenv("NETNS_TEST_ADDR", outside.Addr().String())
		t.Setenv("NETNS_TEST_NS", namespace(t))
	}
	cfg := Config{Sysctls: map[string]string{"net.ipv4.tcp_wmem": "4096 16384 65536", "net.ipv6.bindv6only": "1"}}
	Run(t, cfg, func(t *testing.T) {
		if namespace(t) == os.Getenv("NETNS_TEST_NS") {
			t.Error("the namespace is that of the outer process")
		}
		all, err := net.Interfaces()
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 || all[0].Name != "lo" || all[0].MTU != DefaultMTU || all[0].Flags&net.FlagUp == 0 {
			t.Errorf("interfaces: %+v", all)
		}
		for name, want := range cfg.Sysctls {
			got, err := os.ReadFile(sysctlPath(name))
			if err != nil || strings.Join(strings.Fields(string(got)), " ") != want {
				t.Errorf("%s = %q, %v", name, got, err)
			}
		}
		if _, err := net.Dial("tcp", os.Getenv("NETNS_TEST_ADDR")); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("a listener outside of the namespace is reached: %v", err)
		}
	})
}

func namespace(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// A server that writes to a peer that does not read fills a small window, not megabytes of kernel memory.
func TestRunKeepsBuffersSmall(t *testing.T) {
	Run(t, Config{Sysctls: map[string]string{"net.ipv4.tcp_wmem": "4096 16384 65536"}}, func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := Dialer(16<<10).Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		taken := fill(t, s.(*net.TCPConn))
		if taken == 0 || taken > 256<<10 {
			t.Errorf("the kernel took %d bytes", taken)
		}
		// What it took arrives.
		_ = s.Close()
		if n, err := io.Copy(io.Discard, c); err != nil || int(n) != taken {
			t.Errorf("%d of %d bytes arrived, %v", n, taken, err)
		}
	})
}

// fill writes until the kernel takes no more.
func fill(t *testing.T, c *net.TCPConn) (taken int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("x"), 64<<10)
	err = raw.Write(func(fd uintptr) bool {
		for {
			n, err := unix.Write(int(fd), data)
			if err != nil {
				return true
			}
			taken += n
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

// What the process inside says is the result: a failure, a skip, or a test that did not run at all.
func TestRunReports(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		out  string
		want string
	}{
		{"passes", nil, "--- PASS: %s (0.0s)\nPASS", "passed"},
		{"fails", errors.New("exit status 1"), "--- FAIL: %s (0.0s)\nFAIL", "failed"},
		{"skips", nil, "--- SKIP: %s (0.0s)\n", "skipped"},
		{"runs nothing", nil, "testing: warning: no tests to run\nPASS", "failed"},
	} {
		if got := outcome(c.err, strings.ReplaceAll(c.out, "%s", "TestX/a"), "TestX/a"); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct{ name, outer, want string }{
		{"TestX", "", "^TestX$"},
		{"TestX", "TestX|TestY", "^TestX$"},
		{"TestX", "TestX/tcp/a", "^TestX$/tcp/a"},
		{"TestX/a+b", "TestX", `^TestX$/^a\+b$`},
	} {
		if got := pattern(c.name, c.outer); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.name, c.outer, got, c.want)
		}
	}
}

func TestSoak(t *testing.T) {
	for value, want := range map[string]int{"": 1, "20": 20, "0": 1, "-3": 1, "many": 1} {
		t.Setenv(soakEnv, value)
		if got := Soak(); got != want {
			t.Errorf("%q: %d", value, got)
		}
	}
}
