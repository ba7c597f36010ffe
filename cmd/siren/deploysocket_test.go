package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A node that systemd starts with the sockets of the units serves clients on one and operators on the other: it knows
// them by the names that the units give them.
func TestDeploySocketActivation(t *testing.T) {
	activate := program(t, "systemd-socket-activate")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addrs := freeAddrs(t, 2)
	var names []string
	line := []string{"-E", commandEnv + "=1"}
	// In this order the names matter: without them the first socket is the clients'.
	for i, unit := range []string{"siren-admin.socket", "siren.socket"} {
		line = append(line, "--listen="+addrs[i])
		names = append(names, readUnit(t, unit)["FileDescriptorName"][0])
	}
	line = append(line, "--fdname="+strings.Join(names, ":"), self, "serve")
	cmd := exec.Command(activate, line...)
	logs := new(logBuffer)
	cmd.Stdout, cmd.Stderr = logs, logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("the node ended with %v:\n%s", err, logs)
		}
	})
	admin, clients := addrs[0], addrs[1]
	eventuallyListens(t, admin)
	if status, body := get(t, "http://"+admin+"/readyz"); status != http.StatusOK || !strings.Contains(body, `"ok"`) {
		t.Errorf("operators get %d %q", status, body)
	}
	if status, body := get(t, "http://"+clients+"/socket.io/?EIO=4&transport=polling"); status != http.StatusOK || !strings.HasPrefix(body, `0{"sid":`) {
		t.Errorf("clients get %d %q", status, body)
	}
}

// eventuallyListens waits until somebody accepts at the address.
func eventuallyListens(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return
		}
	}
	t.Fatalf("nobody listens on %s", addr)
}
