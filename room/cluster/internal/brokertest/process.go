package brokertest

import (
	"net"
	"os/exec"
	"syscall"
	"testing"
)

// Process is a broker in a process of its own, which ends with the test. One goroutine may use it at a time.
type Process struct {
	t   testing.TB
	cmd *exec.Cmd
}

// NewProcess returns a process that does not run yet.
func NewProcess(t testing.TB) *Process { return &Process{t: t} }

// Start runs the command until Kill or the end of the test, and waits until the broker answers.
func (p *Process) Start(cmd *exec.Cmd, answers func() bool) {
	p.t.Helper()
	p.cmd = cmd
	tie(cmd)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(p.Kill) // before directories made for the command are removed
	Eventually(p.t, "the broker answers", answers)
}

// Kill ends the process at once. It does nothing if none runs.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
}

// Freeze stops the process, which keeps its connections; Thaw continues it.
func (p *Process) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw continues a frozen process.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// FreePort returns a port of 127.0.0.1 that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
