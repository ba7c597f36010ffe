package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/session/sessiontest"
)

// commandEnv is set in the environment of a test binary that is to be the command.
const commandEnv = "SIREN_TEST_COMMAND"

// process is `siren serve` as a process of its own, whose log the test reads when it wants.
type process struct {
	testNode
	cmd   *exec.Cmd
	stops chan error
	// log is the reading end of its standard error.
	log   *os.File
	lines *bufio.Reader
	// admin is the address of its operators' listener, if it has one.
	admin string
	// socket is the unix socket that it listens on besides addr.
	socket string
}

// startProcess starts the command, behind a wrapper if there is one, and waits until it serves.
func startProcess(t *testing.T, wrapper []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startBinary(t, wrapper, self, args...)
}

// startBinary is startProcess for another binary of siren than the one that the tests are part of.
func startBinary(t *testing.T, wrapper []string, binary string, args ...string) *process {
	t.Helper()
	wrapper = append(wrapper, binary)
	return startLine(t, wrapper, nil, args...)
}

// startCommand is startProcess with changes of the command.
func startCommand(t *testing.T, wrapper []string, change func(cmd *exec.Cmd), args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startLine(t, append(wrapper, self), change, args...)
}

// startLine starts a command line, whose last part is a binary of siren, with serve and args, and waits until it serves.
func startLine(t *testing.T, line []string, change func(cmd *exec.Cmd), args ...string) *process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{stops: make(chan error, 1), log: r, lines: bufio.NewReader(r), socket: filepath.Join(t.TempDir(), "s")}
	line = append(append(line, "serve", "--addr", "127.0.0.1:0", "--addr", "unix://"+p.socket, "--admin-listen", "", "--drain-spread", "0s"), args...)
	p.cmd = exec.Command(line[0], line[1:]...)
	p.cmd.Env = append(os.Environ(), commandEnv+"=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = w
	if change != nil {
		change(p.cmd)
	}
	err = p.cmd.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() { p.stops <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_, _ = p.wait(t)
		_ = r.Close()
	})
	for line := ""; !strings.Contains(line, "siren serves"); {
		line = p.until(t, "")
		if m := listening.FindStringSubmatch(line); m != nil {
			p.addr = m[1]
		} else if _, addr, ok := strings.Cut(line, `msg="operators' listener" addr=`); ok {
			p.admin = strings.TrimSpace(addr)
		}
	}
	return p
}

// until reads the log up to a line with that text, and returns it.
func (p *process) until(t *testing.T, text string) string {
	t.Helper()
	_ = p.log.SetReadDeadline(time.Now().Add(patience))
	for {
		line, err := p.lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the log has no %q: %v", text, err)
		}
		if strings.Contains(line, text) {
			return line
		}
	}
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// wait returns how the process has ended.
func (p *process) wait(t *testing.T) (syscall.WaitStatus, bool) {
	t.Helper()
	select {
	case err := <-p.stops:
		p.stops <- err
		return p.cmd.ProcessState.Sys().(syscall.WaitStatus), true
	case <-time.After(patience):
		t.Error("the process does not end")
		return 0, false
	}
}

// wantGraceful checks that the process ends with exit code 0, has told its client, and has removed its socket.
func (p *process) wantGraceful(t *testing.T, c *client) {
	t.Helper()
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	for {
		if _, _, err := wsutil.ReadServerData(c.conn); err != nil {
			if closed := (wsutil.ClosedError{}); !errors.As(err, &closed) {
				t.Errorf("the client was not told: %v", err)
			}
			break
		}
	}
	_ = c.conn.Close() // or the server would wait a while for this end of the client
	if status, ok := p.wait(t); ok && (!status.Exited() || status.ExitStatus() != 0) {
		t.Errorf("it ended with exit code %d, signal %v", status.ExitStatus(), status.Signal())
	}
	if _, err := os.Lstat(p.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is there still: %v", err)
	}
}

// Signals that come together are one request to end.
func TestSignalsTogether(t *testing.T) {
	const term, interrupt, hangup = syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP
	// Under nohup the tests ignore SIGHUP; what they start would inherit that from a process that does not handle it.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, hangup)
	defer signal.Stop(handled)
	for _, signals := range [][]os.Signal{
		{term}, {interrupt}, {hangup}, {term, term}, {interrupt, interrupt}, {hangup, hangup}, {term, interrupt}, {hangup, term},
		{interrupt, term, hangup, interrupt, term, hangup},
	} {
		// The second one comes at all stages of the end.
		for pause := range 6 {
			p := startProcess(t, nil)
			c := p.dial(t)
			for _, s := range signals {
				p.signal(t, s)
				for begin := time.Now(); time.Since(begin) < time.Duration(pause)*500*time.Microsecond; {
				}
			}
			p.wantGraceful(t, c)
			if t.Failed() {
				t.Fatalf("after %v, %d half milliseconds apart", signals, pause)
			}
		}
	}
}

// A signal that comes later than a second after the first cuts the end short, which the exit code tells if anything was
// lost.
func TestLateSignal(t *testing.T) {
	p := startProcess(t, nil, "--drain-timeout", "10m")
	// A client that does not come back holds the end up, because something is queued for it.
	polling, err := sessiontest.JoinPolling(connect(t, p.addr), nil, "/socket.io/")
	if err != nil {
		t.Fatal(err)
	}
	defer polling.Close()
	c := p.dial(t)
	if got := c.ask(t, `["publish",{"event":"e","data":1,"all":true}]`); got != `[{"status":"ok","count":2}]` {
		t.Fatal(got)
	}
	_ = c.conn.Close()
	begin := time.Now()
	p.signal(t, syscall.SIGTERM)
	p.until(t, "siren stopping")
	for ended := false; !ended; time.Sleep(10 * time.Millisecond) {
		p.signal(t, syscall.SIGTERM)
		ended = time.Since(begin) > sameRequest+100*time.Millisecond || len(p.stops) > 0
	}
	line := p.until(t, "siren stopped")
	if !strings.Contains(line, "level=WARN") || !strings.Contains(line, " sessions_unfetched=1 ") || strings.Contains(line, " packets_unwritten=0 ") {
		t.Error(line)
	}
	if status, _ := p.wait(t); !status.Exited() || status.ExitStatus() != int(exitLoss) || time.Since(begin) < sameRequest {
		t.Errorf("exit code %d, signal %v after %v", status.ExitStatus(), status.Signal(), time.Since(begin))
	}
}

// SIGHUP stays ignored under nohup.
func TestIgnoredHangup(t *testing.T) {
	p := startProcess(t, []string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`})
	c := p.dial(t)
	p.signal(t, syscall.SIGHUP)
	if got := c.ask(t, `["join","a"]`); got != `[{"status":"ok"}]` {
		t.Errorf("join: %s", got)
	}
	p.signal(t, syscall.SIGTERM)
	p.wantGraceful(t, c)
}

// The server outlives the reader of its log.
func TestLogWithoutReader(t *testing.T) {
	p := startProcess(t, nil, "--log-level", "debug")
	_ = p.log.Close()
	c := p.dial(t) // which writes many lines
	if got := c.ask(t, `["join","a"]`); got != `[{"status":"ok"}]` {
		t.Errorf("join: %s", got)
	}
	p.signal(t, syscall.SIGTERM)
	p.wantGraceful(t, c)
}

// A log whose reader does not read, with its pipe full, stops no client, and not the end.
func TestBlockedLog(t *testing.T) {
	p := startProcess(t, nil, "--log-level", "debug")
	var c *client
	for range 300 {
		c = p.dial(t)
		if got := c.ask(t, `["join","a"]`); got != `[{"status":"ok"}]` {
			t.Fatalf("join: %s", got)
		}
	}
	p.signal(t, syscall.SIGTERM)
	p.wantGraceful(t, c)
}
