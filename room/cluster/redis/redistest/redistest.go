// Package redistest runs redis-server for tests: real ones, which can be killed, frozen and started again. Tests are
// skipped where the program is missing.
package redistest

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start.
const patience = 20 * time.Second

// Server is a redis-server on a port of 127.0.0.1. One goroutine may use it at a time.
type Server struct {
	t    testing.TB
	port int
	args []string
	// config is the file of a Sentinel, which needs one; empty for others.
	config string
	cmd    *exec.Cmd
}

// Start runs a server with its defaults, without persistence, until the test ends. Further arguments are those of
// redis-server.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: nothing about Redis is tested")
	}
	s := &Server{t: t, port: FreePort(t), args: args}
	s.Restart()
	t.Cleanup(s.Kill)
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
	s.cmd = exec.Command("redis-server", args...)
	tie(s.cmd)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if s.Do("PING") == "+PONG" {
			return
		}
	}
	s.t.Fatalf("redis-server does not answer on port %d", s.port)
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
