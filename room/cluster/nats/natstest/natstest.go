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
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
)

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
	*brokertest.Process
	t       testing.TB
	options Options
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	o.Port, o.Dir = brokertest.FreePort(t), t.TempDir()
	s := &Server{Process: brokertest.NewProcess(t), t: t, options: o}
	s.Restart()
	return s
}

// StartCluster runs servers that are one broker.
func StartCluster(t testing.TB, n int, o Options) []*Server {
	t.Helper()
	var routes []string
	ports := make([]int, n)
	for i := range ports {
		ports[i] = brokertest.FreePort(t)
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	var out []*Server
	for i, port := range ports {
		o.ClusterPort, o.Routes = port, slices.Concat(routes[:i], routes[i+1:])
		out = append(out, Start(t, o))
	}
	return out
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
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serverEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	s.Start(cmd, s.answers)
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
