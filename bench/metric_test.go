package bench

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// drain empties a socket.
func drain(fd int, buf []byte) {
	for {
		if n, err := unix.Read(fd, buf); n <= 0 || err != nil {
			return
		}
	}
}

func TestGauges(t *testing.T) {
	var g gauges
	g.of("a", "us", BetterLower).add(3)
	g.of("b", "", "").addFloor(1) // only the floor has it
	g.of("a", "us", BetterLower).add(1)
	g.of("a", "us", BetterLower).add(8)
	g.of("a", "us", BetterLower).addFloor(2)
	got := g.metrics()
	if len(got) != 1 || got[0].Name != "a" || got[0].Value != 3 || got[0].Floor != 2 || got[0].Ratio() != 1.5 {
		t.Fatalf("%+v", got)
	}
	if !slices.Equal(got[0].Samples, []float64{3, 1, 8}) {
		t.Errorf("samples %v are not in the order of the rounds", got[0].Samples)
	}
	if (Metric{Value: 2}).Ratio() != 0 || median(nil) != 0 {
		t.Error("a ratio without a floor, or a median of nothing")
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 3: "3", 1234.56: "1235", 12.34: "12.3", 1.234: "1.23", -0.5: "-0.50", math.Pi * 1e6: "3141593"} {
		if got := number(v); got != want {
			t.Errorf("%v: %q", v, got)
		}
	}
}

func TestTableOfMetrics(t *testing.T) {
	r := &Result{
		OK: true, Scenario: Scenario{Name: KindEcho, URL: "http://a", Transport: TransportWebSocket, Seconds: 2, Rate: 50, Processes: 3},
		Metrics: []Metric{
			{Name: "server CPU per round trip", Unit: "us", Value: 9, Samples: []float64{9, 8, 10}, Floor: 6},
			{Name: unitTrip.many + ClientBound, Unit: "1/s", Value: 5},
		},
		Problems: []string{"it rained"},
	}
	text := show(r)
	for _, want := range []string{"9 us  (8 to 10)  floor 6, ratio 1.50", "THE CLIENT IS THE BOTTLENECK", "it rained",
		"50 per second, open loop", "in each of 3 processes", "scenario"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	r.Scenario.Name, r.Scenario.Rate = KindFanout, 0
	if text := show(r); !strings.Contains(text, "with floor: server CPU") || strings.Contains(text, ClientBound) {
		t.Errorf("table of a fan-out:\n%s", text)
	}
}

func TestShare(t *testing.T) {
	for _, tt := range []struct{ n, parts int }{{0, 3}, {1, 3}, {7, 3}, {9, 3}} {
		sum := 0
		for i := range tt.parts {
			part := share(tt.n, tt.parts, i)
			if part < tt.n/tt.parts || part > tt.n/tt.parts+1 {
				t.Errorf("%+v: part %d", tt, part)
			}
			sum += part
		}
		if sum != tt.n {
			t.Errorf("%+v: sum %d", tt, sum)
		}
	}
}

func TestProcessesFollowTheLimit(t *testing.T) {
	c := Config{Subscribers: 50_000, Workers: 1, Command: []string{"x"}}.withProcesses(20_000)
	if c.Processes != 3 {
		t.Errorf("%d processes", c.Processes)
	}
	if got := c.part(0).Subscribers + c.part(1).Subscribers + c.part(2).Subscribers; got != 50_000 {
		t.Errorf("%d sessions in all", got)
	}
	if c := (Config{Subscribers: 50_000, Workers: 1}).withProcesses(20_000); c.Processes != 1 {
		t.Errorf("%d processes without a command", c.Processes)
	}
	if c := (Config{Subscribers: 10, Processes: 5, Command: []string{"x"}}).withProcesses(20_000); c.Processes != 5 || c.loops() != 5 {
		t.Errorf("%d processes", c.Processes)
	}
}

func TestRoomSizes(t *testing.T) {
	for want, c := range map[string]Config{
		"1000 2000 4000": {Members: 1000, Subscribers: 4000}, "10 20 25": {Members: 10, Subscribers: 25}, "5": {Members: 5, Subscribers: 5},
	} {
		var got []string
		for _, n := range c.roomSizes() {
			got = append(got, number(float64(n)))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

func TestExactProcessTime(t *testing.T) {
	p := processes{root: procRoot, pids: []int{unix.Getpid()}}
	if p.exact(unix.Getpid()) <= 0 || (processes{root: "/elsewhere"}).exact(unix.Getpid()) != 0 {
		t.Error("the process's own clock")
	}
}

// The parts of a processor time are never negative: the steps of the parts and the exact sum are not read at one
// moment.
func TestPartsOfProcessorTime(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name          string
		before, after cpuTime
		user, system  time.Duration
	}{
		{"halves", cpuTime{}, cpuTime{10 * ms, 10 * ms, 30 * ms}, 15 * ms, 15 * ms},
		{"the sum is smaller than its parts", cpuTime{}, cpuTime{10 * ms, 10 * ms, 8 * ms}, 4 * ms, 4 * ms},
		{"less than a step", cpuTime{990 * ms, 1000 * ms, 1995 * ms}, cpuTime{990 * ms, 1000 * ms, 1998 * ms}, 3 * ms, 0},
		{"the larger part changes", cpuTime{1000 * ms, 990 * ms, 1995 * ms}, cpuTime{1000 * ms, 1010 * ms, 2011 * ms}, 0, 16 * ms},
		{"nothing", cpuTime{10 * ms, 10 * ms, 20 * ms}, cpuTime{10 * ms, 10 * ms, 20 * ms}, 0, 0},
		{"the clock seems to go back", cpuTime{10 * ms, 10 * ms, 21 * ms}, cpuTime{10 * ms, 10 * ms, 20 * ms}, 0, 0},
	} {
		used := tt.after.sub(tt.before)
		if user, system := used.split(); user != tt.user || system != tt.system || user+system != used.total() {
			t.Errorf("%s: user %v, system %v of %v", tt.name, user, system, used.total())
		}
	}
}
