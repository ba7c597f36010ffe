package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/bench"
)

func TestFanoutRefusesBadFlags(t *testing.T) {
	const url = "--url=http://127.0.0.1:1"
	tests := []struct {
		args []string
		want string
	}{
		{nil, `"url" not set`},
		{[]string{"--url=ftp://a"}, "url"},
		{[]string{url, "extra"}, "unknown command"},
		{[]string{url, "--subscribers=0"}, "--subscribers"},
		{[]string{url, "--subscribers=many"}, "--subscribers"},
		{[]string{url, "--broadcasts=0"}, "--broadcasts"},
		{[]string{url, "--size=0"}, "--size"},
		{[]string{url, "--size=31"}, "size"},
		{[]string{url, "--gap-us=-1"}, "--gap-us"},
		{[]string{url, "--gap-us=9223372036854775807"}, "--gap-us"},
		{[]string{url, "--transport=carrier-pigeon"}, "transport"},
		{[]string{url, "--upgrade=5"}, "upgrade"},
		{[]string{url, "--transport=upgrade", "--subscribers=5", "--upgrade=6"}, "upgrade"},
		{[]string{url, "--room", "--all"}, "[room all]"},
		{[]string{url, "--pid=0"}, "pid"},
		{[]string{url, "--pid=x"}, "--pid"},
		{[]string{url, "--connect-rate=-1"}, "connect-rate"},
		{[]string{url, "--in-flight=0"}, "--in-flight"},
		{[]string{url, "--repeat=0"}, "--repeat"},
		{[]string{url, "--workers=0"}, "--workers"},
		{[]string{url, "--timeout=0s"}, "--timeout"},
		{[]string{url, "--timeout=-1s"}, "--timeout"},
		{[]string{url, "--timeout=10"}, "--timeout"},
		{[]string{url, "--stall=0s"}, "--stall"},
	}
	for _, tt := range tests {
		code, out, errs := command(t, append([]string{"bench", "fanout"}, tt.args...)...)
		if code != 1 || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%v: code %d, output %q, errors %q", tt.args, code, out, errs)
		}
	}
}

func TestFanoutFlagsReachTheConfiguration(t *testing.T) {
	cmd, flags := buildFanoutCommand()
	if err := cmd.ParseFlags(strings.Fields("--url http://127.0.0.1:1 --subscribers 7 --broadcasts 8 --size 99 --gap-us 10 " +
		"--transport upgrade --upgrade 3 --all --pid 5 --pid 6 --connect-rate 11 --in-flight 12 --repeat 13 " +
		"--workers 14 --timeout 15s --stall 16s")); err != nil {
		t.Fatal(err)
	}
	got, err := flags.finish()
	want := bench.Config{
		Kind: bench.KindFanout, Floor: true,
		URL: "http://127.0.0.1:1", Subscribers: 7, Broadcasts: 8, Size: 99, Gap: 10 * time.Microsecond,
		Transport: bench.TransportUpgrade, Upgrade: 3, All: true, PIDs: []int{5, 6}, ConnectRate: 11, InFlight: 12,
		Repeat: 13, Workers: 14, Timeout: 15 * time.Second, Stall: 16 * time.Second,
	}
	gotText, _ := json.Marshal(got)
	want.Kind, want.Floor = bench.KindFanout, true
	wantText, _ := json.Marshal(want)
	if len(got.Command) != 3 || got.Command[2] != childCommandName {
		t.Errorf("command %q", got.Command)
	}
	if err != nil || !bytes.Equal(gotText, wantText) {
		t.Errorf("%s, %v\nwant %s", gotText, err, wantText)
	}
}

// Every scenario has its command, and its defaults are a valid configuration.
func TestScenarioCommands(t *testing.T) {
	for _, s := range append(scenarios(), fanoutScenario) {
		cmd, flags := s.command()
		args := []string{"--repeat=2", "--floor=false"}
		if s.kind != bench.KindFloor {
			args = append(args, "--url=http://127.0.0.1:1")
		}
		if err := cmd.ParseFlags(args); err != nil {
			t.Errorf("%s: %v", s.kind, err)
			continue
		}
		config, err := flags.finish()
		if err != nil || config.Kind != s.kind || config.Repeat != 2 || config.Floor {
			t.Errorf("%s: %+v, %v", s.kind, config, err)
		}
		if code, out, _ := command(t, "bench", string(s.kind), "--help"); code != 0 || !strings.Contains(out, s.short[:10]) && !strings.Contains(out, "Usage:") {
			t.Errorf("%s: help %q", s.kind, out)
		}
	}
}

func TestScenariosRefuseBadFlags(t *testing.T) {
	const url = "--url=http://127.0.0.1:1"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"echo"}, `"url" not set`},
		{[]string{"echo", url, "--concurrency=-1"}, "--concurrency"},
		{[]string{"echo", url, "--rate=-1"}, "rate"},
		{[]string{"echo", url, "--duration=0s"}, "--duration"},
		{[]string{"echo", url, "--gap-us=5"}, "unknown flag"},
		{[]string{"storm", url, "--transport=polling"}, "unknown flag"},
		{[]string{"slow", url, "--slow=100"}, "slow"},
		{[]string{"rooms", url, "--members=0"}, "--members"},
		{[]string{"rooms", url, "--members=9000"}, "members"},
		{[]string{"connect", url, "--transport=upgrade"}, "transport"},
		{[]string{"connect", url, "--processes=-1"}, "processes"},
		{[]string{"connect", url, "--warmup=-1"}, "warmup"},
		{[]string{"floor", url}, "unknown flag"},
	} {
		code, out, errs := command(t, append([]string{"bench"}, tt.args...)...)
		if code != 1 || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%v: code %d, output %q, errors %q", tt.args, code, out, errs)
		}
	}
}

func TestProgressLine(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := newProgressLine(&out)
	p.now = func() time.Time { return now }
	p.count("connecting", 0, 10)
	p.count("connecting", 5, 10) // too soon for another line
	now = now.Add(plainEvery)
	p.count("connecting", 10, 10)
	p.count("messages", 0, 0)
	p.end()
	if want := "connecting: 0 of 10\nconnecting: 10 of 10, 1/s\nmessages: 0 of 0\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	p.terminal = true
	now = now.Add(barEvery)
	p.count("messages", 1, 2)
	p.end()
	want := "\r[" + strings.Repeat("=", barWidth/2) + strings.Repeat(" ", barWidth/2) + "] messages: 1 of 2\x1b[K\r\x1b[K"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	p.count("handshakes", 0, 400)
	now = now.Add(30 * time.Second)
	p.count("handshakes", 100, 400)
	if !strings.Contains(out.String(), "handshakes: 100 of 400, 3/s, 1m30s left\x1b[K") {
		t.Errorf("%q does not tell the time that is left", out.String())
	}
	for _, tt := range []struct {
		progress bench.Progress
		taken    time.Duration
		counted  int64
		want     string
	}{
		{bench.Progress{Phase: "messages, round 2 of 3", Done: 500, Total: 1000, Unit: "messages"}, 5 * time.Second, 500,
			"messages, round 2 of 3: 500 of 1000 messages, 100/s, 5s left"},
		{bench.Progress{Phase: "round trips", Done: 2000, Total: 5001, Timed: true, Count: 800, Unit: "round trips"}, 2 * time.Second, 800,
			"round trips: 2s of 5s, 800 round trips, 400/s, 3s left"},
		{bench.Progress{Phase: "stage 1 of 2", Total: 9000, Timed: true, Detail: "3 users", Unit: "delivered"}, 0, 0,
			"stage 1 of 2: 0s of 9s, 3 users, 0 delivered"},
	} {
		if got := describe(tt.progress, tt.taken, tt.counted); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// The default of a flag is no error, however few sessions there are.
func TestMembersFollowTheSessions(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want int
		ok   bool
	}{
		{[]string{"rooms", "--subscribers=100"}, 0, true},
		{[]string{"rooms", "--subscribers=100", "--members=50"}, 50, true},
		{[]string{"rooms", "--subscribers=100", "--members=101"}, 101, false},
		{[]string{"game", "--subscribers=3"}, 0, true},
		{[]string{"game", "--subscribers=3", "--members=6"}, 6, false},
		{[]string{"game", "--members=4"}, 4, true},
	} {
		for _, s := range scenarios() {
			if string(s.kind) != tt.args[0] {
				continue
			}
			cmd, f := s.command()
			if err := cmd.ParseFlags(append(tt.args[1:], "--url=http://127.0.0.1:1")); err != nil {
				t.Fatal(err)
			}
			if c, err := f.finish(); c.Members != tt.want || (err == nil) != tt.ok {
				t.Errorf("%v: %d members, %v", tt.args, c.Members, err)
			}
		}
	}
}

func TestFanoutWithoutServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	code, out, errs := command(t, "bench", "fanout", "--url", url)
	if code != 1 || out != "" || !strings.Contains(errs, "cannot connect") {
		t.Errorf("code %d, output %q, errors %q", code, out, errs)
	}
}

func TestWriteJSON(t *testing.T) {
	result := &bench.Result{Scenario: bench.Scenario{URL: "u"}, Bursts: []bench.Burst{}}
	name := filepath.Join(t.TempDir(), "result.json")
	var out bytes.Buffer
	if err := writeJSON(name, &out, result); err != nil || out.Len() != 0 {
		t.Fatalf("%v, output %q", err, out.String())
	}
	if err := writeJSON("-", &out, result); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(file, out.Bytes()) {
		t.Errorf("file %q, output %q, %v", file, out.String(), err)
	}
	var back bench.Result
	if err := json.Unmarshal(file, &back); err != nil || back.Scenario.URL != "u" {
		t.Errorf("%+v, %v", back.Scenario, err)
	}
	if writeJSON(filepath.Join(name, "not-a-directory"), &out, result) == nil {
		t.Error("no error")
	}
}
