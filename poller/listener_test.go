package poller

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// An engine that cannot open one of its addresses has none of them open.
func TestFailedStartLeavesNothingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().String()
	_ = free.Close()
	path := filepath.Join(t.TempDir(), "s")
	for _, c := range []struct {
		bad  string
		want error
	}{
		{"unix:///no/such/dir/x.sock", fs.ErrNotExist},
		{"tcp4://" + taken.Addr().String(), syscall.EADDRINUSE},
		{"tcp4://192.0.2.1:0", syscall.EADDRNOTAVAIL},
	} {
		for _, reusePort := range []bool{false, true} {
			addrs := []string{"tcp://" + port, "unix://" + path, c.bad}
			if reusePort {
				addrs[1] = "tcp4://127.0.0.1:0" // unix sockets would switch it off
			}
			e, err := New(Config{Addrs: addrs, Accept: newHub().accept, Logger: quiet(), ReusePort: reusePort})
			if err != nil {
				t.Fatal(err)
			}
			err = e.Start()
			var le *ListenError
			if !errors.As(err, &le) || le.Addr != c.bad && !(reusePort && c.bad[:4] == "unix") || !errors.Is(err, c.want) {
				t.Errorf("%s, ReusePort %v: %v", c.bad, reusePort, err)
			}
			again, err := net.Listen("tcp", port)
			if err != nil {
				t.Fatalf("%s, ReusePort %v: the first address is open still: %v", c.bad, reusePort, err)
			}
			_ = again.Close()
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s, ReusePort %v: the socket file is still there (%v)", c.bad, reusePort, err)
			}
			if e.Addrs() != nil {
				t.Errorf("Addrs is %v", e.Addrs())
			}
		}
	}
}

// The file of a unix socket goes with the engine, unless another process has its own socket there by then.
func TestSocketFileOfSomebodyElseStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	cfg := Config{Addrs: []string{"unix://" + path}, Accept: newHub().accept, Logger: quiet()}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	start(t, cfg) // another one
	stop(t, e)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the other engine's socket is gone: %v", err)
	}
	_ = c.Close()
}

// A socket of a mode that the umask would not give has that mode, and gnet's placeholders leave nothing behind.
func TestSocketFileMode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	e, err := New(Config{Addrs: []string{"unix://" + path}, UnixMode: 0o666, Accept: newHub().accept, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files, want the socket alone", len(files))
	}
	stop(t, e)
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("%d files after the end", len(files))
	}
}
