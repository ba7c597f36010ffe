package bench

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const fields = " S 1 2 3 4 5 6 7 8 9 10 1234 56 0 0 20 0 1 0 100"
	for _, name := range []string{"siren", "a b", ") R 9 9 (", ""} {
		got, err := parseStat("77 (" + name + ")" + fields)
		if err != nil || got != (cpuParts(12340*time.Millisecond, 560*time.Millisecond)) {
			t.Errorf("name %q: %v, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "77 siren S 1", "77 (siren)", "77 (siren) S 1 2 3 4 5 6 7 8 9 10 x 56", "77 (siren) S 1 2 3 4 5 6 7 8 9 10 1 -56"} {
		if _, err := parseStat(bad); !errors.Is(err, errProc) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestParseStatm(t *testing.T) {
	if n, err := parseStatm("1000 250 30 1 0 200 0\n"); n != 250 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for _, bad := range []string{"", "1000", "1000 x"} {
		if _, err := parseStatm(bad); !errors.Is(err, errProc) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestParseMachine(t *testing.T) {
	before, err := parseMachine("cpu  100 0 50 800 50 0 0 0 10 0\ncpu0 1 1\n")
	if err != nil || before != (machineTime{busy: 1500 * time.Millisecond, idle: 8500 * time.Millisecond}) {
		t.Fatalf("%v, %v", before, err)
	}
	after := machineTime{busy: before.busy + 3*time.Second, idle: before.idle + time.Second}
	if got := othersShare(before, after, time.Second); got != 0.5 {
		t.Errorf("share %v", got)
	}
	if got := othersShare(before, after, 5*time.Second) + othersShare(before, before, 0); got != 0 {
		t.Errorf("share %v", got)
	}
	for _, bad := range []string{"", "intr 1 2 3 4 5 6 7 8", "cpu 1 2 3", "cpu 1 2 3 4 5 6 7 x"} {
		if _, err := parseMachine(bad); !errors.Is(err, errProc) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestProcessesReadThisOne(t *testing.T) {
	p := processes{procRoot, []int{os.Getpid()}}
	if _, err := p.cpu(); err != nil {
		t.Error(err)
	}
	if n, err := p.resident(); n < 1<<20 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	p.pids = append(p.pids, 1<<22)
	if _, err := p.cpu(); err == nil {
		t.Error("CPU of a process that is not there")
	}
	if _, err := p.resident(); err == nil {
		t.Error("memory of a process that is not there")
	}
	if ownCPU().total() <= 0 {
		t.Error("no time of our own")
	}
}

func TestListeningInodes(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	const rest = " 00000000:00000000 00:00000000 00000000     0        0 "
	table := head +
		"   0: 00000000:0FA0 00000000:0000 0A" + rest + "1 1 0 100 0 0 10 0\n" +
		"   1: 0100007F:0FA0 00000000:0000 0A" + rest + "2 1\n" +
		"   2: 0100007F:0FA0 0100007F:1234 01" + rest + "3 1\n" + // a connection
		"   3: 0200007F:0FA0 00000000:0000 0A" + rest + "4 1\n" + // another address
		"   4: 0100007F:0FA1 00000000:0000 0A" + rest + "5 1\n" + // another port
		"   5: 00000000000000000000000000000000:0FA0 00000000000000000000000000000000:0000 0A" + rest + "6 1\n" +
		"   6: 0000000000000000FFFF00000100007F:0FA0 00000000000000000000000000000000:0000 0A" + rest + "7 1\n" +
		"   7: zz:0FA0 0:0 0A" + rest + "8 1\n   8: 0100:0FA0 0:0 0A" + rest + "9 1\n   9: 0100007F 0:0 0A" + rest + "10 1\n"
	got := listeningInodes(table, netip.MustParseAddrPort("127.0.0.1:4000"))
	if want := []string{"1", "2", "6", "7"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestListenerOwners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	if pids, err := listenerOwners(procRoot, addr); err != nil || !slices.Equal(pids, []int{os.Getpid()}) {
		t.Errorf("%v, %v", pids, err)
	}
	l.Close()
	if pids, err := listenerOwners(procRoot, addr); !errors.Is(err, errNoListener) {
		t.Errorf("%v, %v", pids, err)
	}
}

func TestNeedDescriptors(t *testing.T) {
	if err := needDescriptors(10); err != nil {
		t.Error(err)
	}
	err := needDescriptors(1 << 40)
	if !errors.Is(err, ErrDescriptors) || !strings.Contains(err.Error(), "raise it") {
		t.Errorf("error %v", err)
	}
}

func TestClock(t *testing.T) {
	c, d := newClock(), newClock()
	a, b := c.now(), d.now()
	if b < a-int64(time.Millisecond) || b > a+int64(time.Minute) {
		t.Errorf("two clocks say %d and %d", a, b)
	}
}

// A server that was used before has memory left, so its growth is not what a session takes.
func TestIdleMemoryOfAUsedServer(t *testing.T) {
	for _, tt := range []struct {
		name            string
		sessions        int
		before, after   int64
		figure, problem bool
	}{
		{"a fresh server", 1000, 10 << 20, 12 << 20, true, false},
		{"nothing more", 1000, 10 << 20, 10 << 20, false, true},
		{"less", 1000, 10 << 20, 9 << 20, false, true},
		{"less than any session takes", 1000, 10 << 20, 10<<20 + 4096, false, true},
		{"few sessions", 8, 10 << 20, 10 << 20, false, false},
		{"not known", 1000, 0, 0, false, false},
	} {
		r := &run{result: &Result{}}
		s := &stage{result: r.result}
		r.idleFigures(s, &Burst{}, idleCounts{sessions: tt.sessions, before: tt.before, after: tt.after, seconds: 60})
		figure := slices.ContainsFunc(r.gauges.metrics(), func(m Metric) bool { return m.Name == "server RSS per connection" })
		if figure != tt.figure || (len(r.result.Problems) > 0) != tt.problem {
			t.Errorf("%s: a figure: %v, problems %q", tt.name, figure, r.result.Problems)
		}
	}
}
