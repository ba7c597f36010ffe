package poller

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stormEnv makes the test binary a server with few file descriptors.
const stormEnv = "POLLER_TEST_STORM"

const stormFiles = 256

// children are other programs that the test binary can be.
var children = map[string]func() int{}

// stormChild serves until its standard input ends and reports how it went.
func stormChild(mode string) int {
	if child := children[mode]; child != nil {
		return child()
	}
	limit := unix.Rlimit{Cur: stormFiles, Max: stormFiles}
	if mode == "defaults" {
		limit = unix.Rlimit{Cur: 1024, Max: 1024}
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		fmt.Println("error", err)
		return 1
	}
	h := newHub()
	h.opened = make(chan *peer, 1<<20)
	h.receive = echo
	if mode == "slow" {
		h.onOpen = func(*peer) { time.Sleep(2 * time.Millisecond) } // the loops are far behind the acceptor
	}
	cfg := Config{Addrs: []string{"tcp://127.0.0.1:0"}, Backlog: 32, FDReserve: 128, Loops: 2, Accept: h.accept,
		Reject: []byte("busy\n"), Logger: quiet()}
	if mode == "defaults" {
		cfg.Backlog, cfg.FDReserve = 0, 0
	}
	if mode == "unguarded" {
		cfg.FDReserve = 1 // MaxConns is above what the process can have: accept fails
	}
	e, err := New(cfg)
	if err == nil {
		err = e.Start()
	}
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println("addr", e.Addr())
	quit := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(quit)
	}()
	select {
	case <-quit:
	case <-e.Done():
	}
	s := e.Stats()
	fmt.Printf("stats accepted %d rejected %d shut %d\n", s.Accepted, s.Rejected, s.GateShut)
	if err := e.Err(); err != nil {
		fmt.Println("ended", errors.Is(err, ErrEnded), strings.ReplaceAll(err.Error(), "\n", " "))
		return 2
	}
	_ = e.Stop(context.Background())
	return 0
}

type storm struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Scanner
	addr  string
}

func startStorm(t *testing.T, mode string) *storm {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), stormEnv+"="+mode)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &storm{cmd: cmd, stdin: stdin, out: bufio.NewScanner(stdout)}
	if !s.out.Scan() || !strings.HasPrefix(s.out.Text(), "addr ") {
		t.Fatalf("child says %q", s.out.Text())
	}
	s.addr = strings.TrimPrefix(s.out.Text(), "addr ")
	return s
}

func (s *storm) finish(t *testing.T) (report string, err error) {
	t.Helper()
	_ = s.stdin.Close()
	var lines []string
	for s.out.Scan() {
		lines = append(lines, s.out.Text())
	}
	err = s.cmd.Wait()
	return strings.Join(lines, "; "), err
}

// The engine survives thousands of connects above the limit and serves afterwards.
func TestAcceptGuardSurvivesAStorm(t *testing.T) {
	for _, mode := range []string{"fast", "slow", "defaults"} {
		t.Run(mode, func(t *testing.T) {
			s := startStorm(t, mode)
			var held sync.Map
			var busy, dials atomic.Int64
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					for range 20 {
						c, err := net.DialTimeout("tcp", s.addr, 500*time.Millisecond)
						dials.Add(1)
						if err != nil {
							continue // the gate is shut
						}
						held.Store(c, true)
						_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
						if n, _ := c.Read(make([]byte, 5)); n == 5 {
							busy.Add(1)
							_ = c.Close()
						}
					}
				})
			}
			wg.Wait()
			held.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
			// It serves again as soon as the storm is over.
			served := false
			for range 20 {
				if served = s.serves(); served {
					break
				}
			}
			report, err := s.finish(t)
			if err != nil || !served {
				t.Fatalf("served %v, child: %v; %s", served, err, report)
			}
			t.Logf("%d dials, %d told busy; %s", dials.Load(), busy.Load(), report)
		})
	}
}

func (s *storm) serves() bool {

	c, err := net.DialTimeout("tcp", s.addr, 2*time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := c.Write([]byte("hello")); err != nil {
		return false
	}
	buf := make([]byte, 5)
	_, err = io.ReadFull(c, buf)
	return err == nil && string(buf) == "hello"
}

// Even with no reserve at all the engine outlives accept's failures, and serves when descriptors are free again.
func TestEngineOutlivesEMFILE(t *testing.T) {
	s := startStorm(t, "unguarded")
	var conns []net.Conn
	for range stormFiles + 50 {
		if c, err := net.DialTimeout("tcp", s.addr, 100*time.Millisecond); err == nil {
			conns = append(conns, c)
		}
	}
	for _, c := range conns {
		_ = c.Close()
	}
	served := false
	for range 20 {
		if served = s.serves(); served {
			break
		}
	}
	report, err := s.finish(t)
	if err != nil || !served {
		t.Fatalf("served %v, child: %v; %s", served, err, report)
	}
	t.Log(report)
}

// gnet ends with nil in some cases; an end that nobody asked for must not stay unnoticed.
func TestEndWithoutStopIsAnError(t *testing.T) {
	for name, end := range map[string]func(e *Engine){
		"gnet stops": func(e *Engine) { go e.stopGnet() },
		"listener dies": func(e *Engine) {
			e.gate.mu.Lock()
			defer e.gate.mu.Unlock()
			_ = unix.Shutdown(e.gate.fds[0], unix.SHUT_RDWR)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := New(Config{Addrs: []string{"tcp://127.0.0.1:0"}, Accept: newHub().accept, Logger: quiet()})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Start(); err != nil {
				t.Fatal(err)
			}
			end(e)
			recv(t, e.Done(), "end")
			if err := e.Err(); !errors.Is(err, ErrEnded) {
				t.Fatalf("Err() = %v", err)
			} else {
				t.Log(strings.ReplaceAll(err.Error(), "\n", ": "))
			}
			stop(t, e)
		})
	}
}
