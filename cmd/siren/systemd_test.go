package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed58c87869/siren/session/sessiontest"
)

// supervised is a process with a supervisor that has opened sockets for it, and listens to it.
type supervised struct {
	*process
	notify *net.UnixConn
	told   []string
}

// supervise starts the command as systemd does: sockets begin at descriptor 3, and names is LISTEN_FDNAMES.
func supervise(t *testing.T, names string, sockets []net.Listener, args ...string) *supervised {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = notify.Close() })
	var files []*os.File
	for _, ln := range sockets {
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	environ := []string{
		"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000", "LISTEN_FDS=" + strconv.Itoa(len(files)), "LISTEN_FDNAMES=" + names,
	}
	wrapper := []string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`}
	s := &supervised{notify: notify}
	s.process = startCommand(t, wrapper, func(cmd *exec.Cmd) {
		cmd.ExtraFiles = files
		cmd.Env = append(cmd.Env, environ...)
	}, args...)
	return s
}

// until reads what the process tells up to a state.
func (s *supervised) untilTold(t *testing.T, state string) string {
	t.Helper()
	_ = s.notify.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 1024)
	for {
		n, err := s.notify.Read(buf)
		if err != nil {
			t.Fatalf("the process does not tell %s: %v, after %q", state, err, s.told)
		}
		text := string(buf[:n])
		s.told = append(s.told, text)
		if strings.HasPrefix(text, state) {
			return text
		}
	}
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// A supervised node serves the sockets that it was given, on both listeners, and tells that it is ready, alive and
// stopping. A connection that waits in a socket before the node has started is served.
func TestSystemd(t *testing.T) {
	for _, c := range []struct {
		names   string
		clients int // the index of the clients' socket, after which the operators' comes, or before
	}{{"clients:admin", 0}, {"admin:clients", 1}, {"siren.socket:siren.socket", 0}} {
		t.Run(c.names, func(t *testing.T) {
			clients, admin := listen(t, "tcp", "127.0.0.1:0"), listen(t, "tcp", "127.0.0.1:0")
			sockets := []net.Listener{clients, admin}
			if c.clients == 1 {
				sockets = []net.Listener{admin, clients}
			}
			early := connect(t, clients.Addr().String())
			s := supervise(t, c.names, sockets, "--drain-grace", "1s", "--drain-timeout", "2m")
			s.untilTold(t, "READY=1")
			w, err := sessiontest.JoinWebSocket(early, "/socket.io/")
			if err != nil {
				t.Fatal(err)
			}
			p, err := sessiontest.JoinPolling(connect(t, clients.Addr().String()), connect(t, clients.Addr().String()), "/socket.io/")
			if err != nil {
				t.Fatal(err)
			}
			var all endings
			all.add(w.Rest)
			all.add(func() sessiontest.Ending { return p.Rest(false) })
			url := "http://" + admin.Addr().String()
			if status, body := post(t, url+"/api/emit", "", `{"event":"e","args":[1]}`); status != 200 || !strings.HasPrefix(body, `{"count":2,`) {
				t.Errorf("emit: %d %s", status, body)
			}
			s.untilTold(t, "WATCHDOG=1")
			s.untilTold(t, "WATCHDOG=1")
			s.signal(t, syscall.SIGTERM)
			if got, want := s.untilTold(t, "STOPPING=1"), fmt.Sprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", 151*1_000_000); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			all.check(t, sessiontest.MessageOf(`42["e",1]`))
			s.wantExit(t)
		})
	}
}

// Unix sockets can be activated too, and clients without admin.
func TestSystemdUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := supervise(t, "clients", []net.Listener{listen(t, "unix", path)})
	s.untilTold(t, "READY=1")
	client := http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://x/healthz")
	if err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	}
	_ = r.Body.Close()
	client.CloseIdleConnections()
	s.signal(t, syscall.SIGTERM)
	s.wantExit(t)
	if _, err := os.Lstat(path); err != nil {
		t.Error("the node has removed the supervisor's socket")
	}
}

// Sockets that cannot be meant are an error, as is an operators' socket that others reach without a key.
func TestSystemdRefusesSockets(t *testing.T) {
	for names, want := range map[string]string{
		"admin:admin": "second activated socket for operators", "a:b:c": "an activated socket too many",
		"clients:open": "and there is no key",
	} {
		var files []*os.File
		for name := range strings.SplitSeq(names, ":") {
			address := "127.0.0.1:0"
			if name == "open" {
				address = "0.0.0.0:0"
			}
			f, err := listen(t, "tcp", address).(*net.TCPListener).File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			files = append(files, f)
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, self, "serve", "--log-level", "error")
		cmd.ExtraFiles = files
		cmd.Env = append(os.Environ(), commandEnv+"=1", "LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+names)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, %s", names, err, out)
		}
	}
}
