package main

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
)

// attackEnv makes the test binary an attacker of that kind, attackAddrEnv tells it the server's address.
const (
	attackEnv     = "SIREN_ATTACK"
	attackAddrEnv = "SIREN_ATTACK_ADDR"
)

// justBusy is no attack: a process that takes as much of the processor. What the attacks add to that is the server's.
const justBusy = "just busy"

// attacks are what hostile clients do, until their connection ends: most of them for ever.
var attacks = map[string]func(addr string) error{
	justBusy: func(string) error {
		for {
		}
	},
	"messages that inflate a thousandfold": func(addr string) error {
		return sendAgain(addr, deflatedFrame([]byte(`42["x","`+strings.Repeat("0", 900_000)+`"]`)))
	},
	"a flood of events":     func(addr string) error { return sendAgain(addr, textFrames(`42["x",1]`, 1000)) },
	"a flood of questions":  func(addr string) error { return sendAgain(addr, textFrames(`421["join","room"]`, 1000)) },
	"a flood of handshakes": floodHandshakes,
	"answers that are not read": func(addr string) error {
		c, id, err := attack(addr)
		if err != nil {
			return err
		}
		packet := fmt.Sprintf(`42["publish",{"event":"echo","room":%q,"data":%q}]`, id, strings.Repeat("x", 60_000))
		for err == nil {
			err = wsutil.WriteClientText(c, []byte(packet))
		}
		return err
	},
}

// TestAttack is no test: it attacks a server, in the process that startAttack starts.
func TestAttack(t *testing.T) {
	fn := attacks[os.Getenv(attackEnv)]
	if fn == nil {
		t.Skip("runs for TestHostileClientsDelayOthersLittle only")
	}
	time.AfterFunc(time.Minute, func() { os.Exit(1) }) // in case nobody ends it
	for {
		_ = fn(os.Getenv(attackAddrEnv)) // a connection that the server ends is replaced
		time.Sleep(time.Millisecond)
	}
}

// attack joins "/" with a client that reads what comes in between, and returns the socket's id.
func attack(addr string) (conn net.Conn, id string, err error) {
	d := ws.Dialer{Extensions: []httphead.Option{wsflate.DefaultParameters.Option()}}
	conn, buffered, _, err := d.Dial(context.Background(), "ws://"+addr+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return nil, "", err
	}
	var in io.Reader = conn
	if buffered != nil {
		in = io.MultiReader(io.LimitReader(buffered, int64(buffered.Buffered())), conn)
	}
	if err = wsutil.WriteClientText(conn, []byte("40")); err != nil {
		return nil, "", err
	}
	for {
		data, err := wsutil.ReadServerText(struct {
			io.Reader
			io.Writer
		}{in, conn})
		if err != nil {
			return nil, "", err
		}
		if _, after, ok := strings.Cut(string(data), `40{"sid":"`); ok {
			id, _, _ = strings.Cut(after, `"`)
			return conn, id, nil
		}
	}
}

// sendAgain sends the same bytes again and again, and reads what comes.
func sendAgain(addr string, data []byte) error {
	c, _, err := attack(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	go func() { _, _ = io.Copy(io.Discard, c) }()
	for err == nil {
		_, err = c.Write(data)
	}
	return err
}

// floodHandshakes opens polling sessions, each of which has timers, as fast as it can.
func floodHandshakes(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	go func() { _, _ = io.Copy(io.Discard, c) }()
	requests := strings.Repeat("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n", 8)
	for err == nil {
		_, err = io.WriteString(c, requests)
	}
	return err
}

func textFrames(text string, n int) []byte {
	frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text))))
	return bytes.Repeat(frame, n)
}

// deflatedFrame returns a compressed message (RFC 7692, section 7.2.1).
func deflatedFrame(data []byte) []byte {
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestCompression)
	_, _ = w.Write(data)
	_ = w.Flush()
	frame := ws.NewTextFrame(bytes.TrimSuffix(packed.Bytes(), []byte{0, 0, 0xff, 0xff}))
	frame.Header.Rsv = ws.Rsv(true, false, false)
	return ws.MustCompileFrame(ws.MaskFrame(frame))
}

// tenthOfCore makes a control group that may use a tenth of a core, of either version, and skips the test when it may
// not.
func tenthOfCore(t *testing.T) (procs string) {
	t.Helper()
	name := fmt.Sprintf("siren-test-%d", os.Getpid())
	var errs []error
	for _, v := range []struct {
		parent string
		limits map[string]string
	}{
		{"/sys/fs/cgroup/cpu", map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "10000"}},
		{"/sys/fs/cgroup", map[string]string{"cpu.max": "10000 100000"}},
	} {
		dir := filepath.Join(v.parent, name)
		err := os.Mkdir(dir, 0o755)
		for file, value := range v.limits {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644))
		}
		if err != nil {
			errs = append(errs, err)
			_ = os.Remove(dir)
			continue
		}
		t.Cleanup(func() {
			for end := time.Now().Add(patience); os.Remove(dir) != nil && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond) // a process that has ended is in its group for a moment
			}
		})
		return filepath.Join(dir, "cgroup.procs")
	}
	t.Skipf("no control group with a limit of processor time can be made: %v", errs)
	return ""
}

// startAttack starts an attacker in the group and returns what ends it.
func startAttack(t *testing.T, procs, kind, addr string) (stop func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `echo $$ > "$0" && exec "$@"`, procs, os.Args[0], "-test.run=^TestAttack$")
	cmd.Env = append(os.Environ(), attackEnv+"="+kind, attackAddrEnv+"="+addr, "GOMAXPROCS=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// echoTimes lets clients ask one question after the other, a millisecond apart, and returns the median of the times
// until the answer, and the time that 99 of 100 have at most, each of the client that waited longest. Together the
// clients would hide one that is on the loop of an attacker, because it asks less often.
func echoTimes(t *testing.T, clients []*client, d time.Duration) (median, p99 time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	end := time.Now().Add(d)
	for _, c := range clients {
		group.Go(func() {
			var own []time.Duration
			for time.Now().Before(end) {
				began := time.Now()
				if got := c.ask(t, `["join","room"]`); !strings.Contains(got, `"ok"`) {
					t.Errorf("answered with %s", got)
					return
				}
				own = append(own, time.Since(began))
				time.Sleep(time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(own)
			median, p99 = max(median, own[len(own)/2]), max(p99, own[len(own)*99/100])
		})
	}
	group.Wait()
	if median == 0 {
		t.Fatal("no answers")
	}
	return median, p99
}

// One hostile client, whatever it does with a tenth of a core, delays the answers to others by at most a millisecond in
// the median, and by 5 ms for 99 of 100, compared with a process that only takes as much of the processor. The times
// are compared in a soak test only; else all others must be answered.
func TestHostileClientsDelayOthersLittle(t *testing.T) {
	const medianMax, p99Max = time.Millisecond, 5 * time.Millisecond
	d := 300 * time.Millisecond
	if netns.Soaking() {
		d = 3 * time.Second
	}
	procs := tenthOfCore(t)
	p := startBinary(t, nil, plainBinary(t), "--no-demo", "--compress")
	clients := make([]*client, 4)
	for i := range clients {
		clients[i] = p.dial(t)
	}
	echoTimes(t, clients, d) // until caches and pools are warm
	median, p99 := echoTimes(t, clients, d)
	t.Logf("alone: median %v, 99 %% %v", median, p99)
	measure := func(t *testing.T, kind string) {
		stop := startAttack(t, procs, kind, p.addr)
		defer stop()
		time.Sleep(d / 3)
		withMedian, withP99 := echoTimes(t, clients, d)
		t.Logf("%s: median %v, 99 %% %v", kind, withMedian, withP99)
		if kind == justBusy {
			median, p99 = withMedian, withP99
		} else if netns.Soaking() && (withMedian-median > medianMax || withP99-p99 > p99Max) {
			t.Errorf("the attack delays others by %v, and by %v for 99 %%", withMedian-median, withP99-p99)
		}
	}
	measure(t, justBusy)
	for kind := range attacks {
		if kind != justBusy {
			t.Run(kind, func(t *testing.T) { measure(t, kind) })
		}
	}
}
