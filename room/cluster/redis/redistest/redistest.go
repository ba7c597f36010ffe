// Package redistest runs redis-server for tests: real ones, which can be killed, frozen and started again. Tests are
// skipped where the program is missing.
package redistest

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
)

// patience is how long a server may take to do what tests wait for.
const patience = 20 * time.Second

// Server is a redis-server on a port of 127.0.0.1. One goroutine may use it at a time.
type Server struct {
	*brokertest.Process
	t    testing.TB
	port int
	args []string
	// config is the file of a Sentinel, which needs one; empty for others.
	config string
}

// Start runs a server with its defaults, without persistence, until the test ends. Further arguments are those of
// redis-server.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: nothing about Redis is tested")
	}
	s := &Server{Process: brokertest.NewProcess(t), t: t, port: brokertest.FreePort(t), args: args}
	s.Restart()
	return s
}

// Port returns the port.
func (s *Server) Port() int { return s.port }

// Addr returns the address, host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the URL with a query, which may be empty.
func (s *Server) URL(query string) string {
	if query != "" {
		query = "?" + query
	}
	return "redis://" + s.Addr() + query
}

// Restart starts the server again after Kill, on the same port and without data.
func (s *Server) Restart() {
	s.t.Helper()
	args := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", s.t.TempDir()}, s.args...)
	if s.config != "" {
		args = []string{s.config, "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--sentinel"}
	}
	s.Start(exec.Command("redis-server", args...), func() bool { return s.Do("PING") == "+PONG" })
}

// Do sends one command on a connection of its own and returns the answer as it is on the wire, at most 64 KiB of it
// and without the last line break; "" if there is none.
func (s *Server) Do(words ...string) string {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	out := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		out = fmt.Appendf(out, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := c.Write(out); err != nil {
		return ""
	}
	const answerMax = 64 << 10
	b := make([]byte, answerMax)
	n, _ := c.Read(b)
	for n > 0 && (b[n-1] == '\n' || b[n-1] == '\r') {
		n--
	}
	return string(b[:n])
}

// Subscribers returns how many connections are subscribed to a channel.
func (s *Server) Subscribers(channel string) int {
	var name string
	var n int
	answer := s.Do("PUBSUB", "NUMSUB", channel)
	if _, err := fmt.Sscanf(answer, "*2\r\n$%d\r\n", new(int)); err != nil {
		return -1
	}
	for i := len(answer) - 1; i >= 0; i-- {
		if answer[i] == ':' {
			name = answer[i+1:]
			break
		}
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		return -1
	}
	return n
}
