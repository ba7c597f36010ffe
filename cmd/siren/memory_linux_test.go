package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
)

// memoryGroup is a control group with a limit of memory that the test has made.
type memoryGroup struct {
	dir   string
	usage string // the name of the file with the highest usage
}

// newMemoryGroup makes a group with that limit, of either version of control groups, and skips the test when it may
// not.
func newMemoryGroup(t *testing.T, limit int64) memoryGroup {
	t.Helper()
	name := fmt.Sprintf("siren-test-%d", os.Getpid())
	var errs []error
	for _, v := range []struct{ parent, limit, swap, usage string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max_usage_in_bytes"},
		{"/sys/fs/cgroup", "memory.max", "memory.swap.max", "memory.peak"},
	} {
		g := memoryGroup{filepath.Join(v.parent, name), v.usage}
		if _, err := os.Stat(filepath.Join(v.parent, "cgroup.procs")); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := os.Mkdir(g.dir, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		t.Cleanup(func() {
			// A process that has ended is in its group for a moment yet.
			var err error
			for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if err = os.Remove(g.dir); err == nil || os.IsNotExist(err) {
					return
				}
			}
			t.Errorf("the control group stays: %v", err)
		})
		if err := os.WriteFile(filepath.Join(g.dir, v.limit), []byte(strconv.FormatInt(limit, 10)), 0o644); err != nil {
			errs = append(errs, err)
			_ = os.Remove(g.dir)
			continue
		}
		swap := map[string]string{"memory.swap.max": "0", "memory.memsw.limit_in_bytes": strconv.FormatInt(limit, 10)}[v.swap]
		_ = os.WriteFile(filepath.Join(g.dir, v.swap), []byte(swap), 0o644) // a kernel without swap has no such file
		return g
	}
	t.Skipf("no control group with a limit of memory can be made: %v", errs)
	return memoryGroup{}
}

// wrapper starts a command in the group.
func (g memoryGroup) wrapper() []string {
	return []string{"sh", "-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs")}
}

// peak returns the highest usage, in MiB, as text.
func (g memoryGroup) peak() string {
	data, err := os.ReadFile(filepath.Join(g.dir, g.usage))
	if err != nil {
		return err.Error()
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return fmt.Sprintf("%d MiB", n>>20)
}

// Clients that ask for a lot, each within its own limits, and do not read it, do not take the server down in a control
// group of little memory: the others, which are idle, are all still there, and answered. The clients are outside of the
// group. SIREN_SOAK makes it 8,000 idle clients in 256 MiB, with 200 of the others.
func TestServeSurvivesClientsThatDoNotRead(t *testing.T) {
	limit, idle, hungry := int64(128<<20), 500, 120
	if netns.Soaking() {
		limit, idle, hungry = 256<<20, 8000, 200
	}
	const echoes, echoBytes = 200, 60_000
	g := newMemoryGroup(t, limit)
	// A queue may have twice the largest payload.
	p := startBinary(t, g.wrapper(), plainBinary(t), "--ping-interval", "10m", "--no-demo", "--max-payload", "2000000")
	clients := make([]*client, idle)
	for i := range clients {
		clients[i] = p.dial(t)
	}
	var group sync.WaitGroup
	for range hungry {
		c := p.dial(t)
		c.readLittle(t)
		group.Go(func() {
			// A socket's id is a room that holds it alone: what is published there is an echo.
			packet := fmt.Sprintf(`42["publish",{"event":"echo","room":%q,"data":%q}]`, c.id, strings.Repeat("x", echoBytes))
			for range echoes {
				if wsutil.WriteClientText(c.conn, []byte(packet)) != nil {
					return // it was ended
				}
			}
		})
	}
	group.Wait()
	for i, c := range clients {
		_ = c.conn.SetDeadline(time.Now().Add(patience)) // that of the dial may have passed
		if got := c.ask(t, `["join","room"]`); !strings.Contains(got, `"ok"`) {
			t.Fatalf("idle client %d is answered with %s", i, got)
		}
	}
	select {
	case <-p.stops:
		t.Fatalf("the server has ended: %v", p.cmd.ProcessState)
	default:
	}
	t.Logf("at most %s of %d MiB", g.peak(), limit>>20)
	p.until(t, "memory budget exceeded")
}

// plainBinary builds siren as users do: the race detector, with which the tests may run, takes several times the
// memory.
func plainBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "siren")
	if out, err := exec.Command("go", "build", "-race=false", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// readLittle keeps the kernel from taking much that is sent to the client.
func (c *client) readLittle(t *testing.T) {
	t.Helper()
	conn := c.conn
	if primed, ok := conn.(*primedConn); ok {
		conn = primed.Conn
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
}
