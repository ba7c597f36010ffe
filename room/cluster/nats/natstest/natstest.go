// Package natstest runs nats-server for tests: each server is a process of its own, which can be killed, frozen and
// started again. The process is the test's own program once more, so nothing needs to be installed.
package natstest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// patience is how long a server may take to start.
const patience = 30 * time.Second

// serverEnv has the options of the server that the program is, instead of a test.
const serverEnv = "SIREN_NATSTEST_SERVER"

func init() {
	if text := os.Getenv(serverEnv); text != "" {
		serve(text)
	}
}

// Options are those of a server that differ from its defaults. Immutable.
type Options struct {
	// MaxPayload is the longest message that it takes, in bytes.
	MaxPayload int32 `json:",omitempty"`
	// Routes are the addresses of the other servers of its cluster, and ClusterPort its own port for them; no cluster if
	// that is 0.
	Routes      []string `json:",omitempty"`
	ClusterPort int      `json:",omitempty"`
	// Token is what clients need.
	Token string `json:",omitempty"`
	// JetStream is set for streams, which are in memory.
	JetStream bool `json:",omitempty"`

	Port int
	Dir  string
}

// serve runs a server until the process ends.
func serve(text string) {
	var o Options
	err := json.Unmarshal([]byte(text), &o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	opts := &natsserver.Options{
		Host: "127.0.0.1", Port: o.Port, NoLog: true, NoSigs: true, MaxPayload: o.MaxPayload, Authorization: o.Token,
		JetStream: o.JetStream, StoreDir: o.Dir, ServerName: fmt.Sprintf("n%d", o.Port),
	}
	if o.ClusterPort != 0 {
		opts.Cluster = natsserver.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: o.ClusterPort}
		for _, r := range o.Routes {
			u, err := url.Parse(r)
			if err != nil {
				os.Exit(1)
			}
			opts.Routes = append(opts.Routes, u)
		}
	}
	s, err := natsserver.NewServer(opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Start()
	s.WaitForShutdown()
	os.Exit(0)
}

// Server is a nats-server on a port of 127.0.0.1. One goroutine may use it at a time.
type Server struct {
	t       testing.TB
	options Options
	cmd     *exec.Cmd
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	o.Port, o.Dir = FreePort(t), t.TempDir()
	s := &Server{t: t, options: o}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// StartCluster runs servers that are one broker.
func StartCluster(t testing.TB, n int, o Options) []*Server {
	t.Helper()
	var routes []string
	ports := make([]int, n)
	for i := range ports {
		ports[i] = FreePort(t)
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	var out []*Server
	for i, port := range ports {
		o.ClusterPort, o.Routes = port, slices.Concat(routes[:i], routes[i+1:])
		out = append(out, Start(t, o))
	}
	return out
}

// FreePort returns a port that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Addr returns the address, host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.options.Port)) }

// URL returns the URL with a query, which may be empty.
func (s *Server) URL(query string) string {
	user := ""
	if s.options.Token != "" {
		user = s.options.Token + "@"
	}
	if query != "" {
		query = "?" + query
	}
	return "nats://" + user + s.Addr() + query
}

// Restart starts the server again after Kill, on the same port.
func (s *Server) Restart() {
	s.t.Helper()
	text, err := json.Marshal(s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(self)
	s.cmd.Env = append(os.Environ(), serverEnv+"="+string(text))
	s.cmd.Stderr = os.Stderr
	tie(s.cmd)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if s.answers() {
			return
		}
	}
	s.t.Fatalf("nats-server does not answer on port %d", s.options.Port)
}

// answers reports whether the server greets a client.
func (s *Server) answers() bool {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	b := make([]byte, len("INFO "))
	n, _ := c.Read(b)
	return string(b[:n]) == "INFO "
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Freeze stops the process, which keeps its connections; Thaw continues it.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw continues a frozen server.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}
