package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/codec/wsframe"
)

// What a floor sends is what a server would send, byte by byte.
func TestFloorTicks(t *testing.T) {
	const size, now = 64, 1234567890
	plan := newTickPlan(20, size)
	frames := newFloorTicks(size, false).batch(3, 7, now)
	var want []byte
	for i := 3; i < 7; i++ {
		want = append(want, ws.MustCompileFrame(ws.NewTextFrame([]byte("4"+tickPacket(i, size, now))))...)
	}
	if !bytes.Equal(frames, want) {
		t.Errorf("%q\nwant %q", frames, want)
	}
	var r responseReader
	n, resp, err := r.next(newFloorTicks(size, true).batch(3, 5, now))
	if err != nil || resp == nil || resp.Status != 200 {
		t.Fatalf("%d, %+v, %v", n, resp, err)
	}
	number := 3
	for packet := range bytes.SplitSeq(resp.Body, []byte(packetSeparator)) {
		if got, sent, ok := plan.parse(packet[1:]); !ok || got != number || sent != now {
			t.Errorf("packet %q", packet)
		}
		number++
	}
	if number != 5 {
		t.Errorf("%d packets", number-3)
	}
	// The profile's tick of 128 characters makes 145 bytes.
	if n := len(newFloorTicks(128, false).batch(0, 1, now)); n != 145 {
		t.Errorf("%d bytes", n)
	}
}

func TestFloorTicksAllocate(t *testing.T) {
	f := newFloorTicks(128, false)
	f.batch(0, floorBatch, 1)
	if n := testing.AllocsPerRun(100, func() { f.batch(5, 5+floorBatch, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The size that a floor counts requests by is what a client sends.
func TestFloorRequestSize(t *testing.T) {
	for i, size := range []int{32, 80, 200, 70000, 32, 200} {
		v := VocabularyLoad
		if i > 3 {
			v = VocabularyNode
		}
		s, c, peer := newTestSubscriber(t, Config{Size: size, Vocabulary: v})
		l := &wsLink{sub: s, conn: c, open: true}
		s.link, c.owner = l, l
		s.w.echo.begin(echoPlan{Once: true, Size: size}, s.w, 1)
		if got := len(sent(t, peer)) + len(c.out); size < 60000 && got != floorRequestSize(v, size) {
			t.Errorf("size %d: %d bytes, counted as %d", size, got, floorRequestSize(v, size))
		}
		// The answer is one that the client takes.
		s.w.duty.Raw = true
		s.w.tally.begin(windowEchoes, 0)
		s.answered(floorEchoAnswer(v, size)[1:], 2)
		if s.w.tally.delivered != 1 || s.w.tally.malformed != 0 {
			t.Errorf("size %d: answer refused", size)
		}
	}
}

func TestFloorScripts(t *testing.T) {
	for _, tt := range []struct {
		transport Transport
		duty      duty
		replies   int
		cycle     int
		lockstep  bool
	}{
		{TransportWebSocket, duty{}, 2, 1, false},
		{TransportWebSocket, duty{Join: true, Park: true}, 3, 1, false},
		{TransportPolling, duty{}, 3, 2, false},
		{TransportPolling, duty{Park: true}, 3, 0, true},
		{TransportPolling, duty{Join: true, Park: true}, 5, 0, true},
	} {
		s := newFloorScript(tt.transport, tt.duty, VocabularyLoad, 32)
		if len(s.Replies) != tt.replies || len(s.Cycle) != tt.cycle || s.Lockstep != tt.lockstep {
			t.Errorf("%s %+v: %d replies, %d in the cycle", tt.transport, tt.duty, len(s.Replies), len(s.Cycle))
		}
	}
}

// startFloor runs a floor in this process; it ends with the test.
func startFloor(t *testing.T, script floorScript) (addr string, commands *os.File) {
	t.Helper()
	in, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	hello, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- floorChild(script, in, out) }()
	t.Cleanup(func() {
		commands.Close()
		<-ended
		in.Close()
		out.Close()
		hello.Close()
	})
	var h floorHello
	if err := json.NewDecoder(hello).Decode(&h); err != nil || h.Err != "" {
		t.Fatalf("%+v, %v", h, err)
	}
	return h.Addr, commands
}

// dialFloor connects to a floor.
func dialFloor(t *testing.T, addr string) int {
	t.Helper()
	parsed, err := parseTarget("http://" + addr)
	if err == nil {
		parsed, err = parsed.resolve()
	}
	if err != nil {
		t.Fatal(err)
	}
	remote, family := sockaddr(parsed.addr)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, remote); err != nil {
		t.Fatal(err)
	}
	limit := unix.NsecToTimeval(int64(10 * time.Second))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		t.Fatal(err)
	}
	return fd
}

// exactly reads n bytes.
func exactly(t *testing.T, fd, n int) string {
	t.Helper()
	buf := make([]byte, n)
	for have := 0; have < n; {
		got, err := unix.Read(fd, buf[have:])
		if got <= 0 || err != nil {
			t.Fatalf("read %d of %d bytes: %v", have, n, err)
		}
		have += got
	}
	return string(buf)
}

func TestFloorFollowsItsScript(t *testing.T) {
	script := floorScript{Replies: [][]byte{[]byte("one"), []byte("two")}, Cycle: [][]byte{[]byte("A"), []byte("B")}, Request: 4}
	addr, _ := startFloor(t, script)
	fd := dialFloor(t, addr)
	for _, step := range []struct{ send, want string }{
		{"x", "one"}, {"whatever", "two"}, {"1234", "A"}, {"12345678", "BA"},
	} {
		if _, err := unix.Write(fd, []byte(step.send)); err != nil {
			t.Fatal(err)
		}
		if got := exactly(t, fd, len(step.want)); got != step.want {
			t.Errorf("%q answered with %q", step.send, got)
		}
	}
	// Requests may be split anywhere.
	for _, piece := range []string{"12", "345", "678"} {
		if _, err := unix.Write(fd, []byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if got := exactly(t, fd, 2); got != "BA" {
		t.Errorf("split requests answered with %q", got)
	}
}

func TestFloorSendsToAll(t *testing.T) {
	addr, commands := startFloor(t, floorScript{Replies: [][]byte{[]byte("!")}})
	var fds []int
	for range 3 {
		fd := dialFloor(t, addr)
		if _, err := unix.Write(fd, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		exactly(t, fd, 1)
		fds = append(fds, fd)
	}
	if err := json.NewEncoder(commands).Encode(floorBurst{Count: 40, Size: 32, Batch: 16}); err != nil {
		t.Fatal(err)
	}
	frame := wsframe.HeaderSize(len(tickPacket(0, 32, 1))+1) + len(tickPacket(0, 32, 1)) + 1
	for _, fd := range fds {
		got := exactly(t, fd, 40*frame)
		if !strings.Contains(got, "#0000000000:") || !strings.Contains(got, "#0000000039:") {
			t.Errorf("ticks are not numbered: %q", got[:frame])
		}
	}
}

func TestChildRefusesBadJobs(t *testing.T) {
	for _, text := range []string{"", "{}\n", "nonsense\n", `{"role":"floor"}` + "\n", `{"role":"client","config":{"URL":"ftp://x"}}` + "\n"} {
		in, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString(text)
		w.Close()
		if err := Child(in, out); err == nil {
			t.Errorf("%q accepted", text)
		}
		for _, f := range []*os.File{in, r, out} {
			f.Close()
		}
	}
}

// A client process that ends makes the run fail, and nothing hangs.
func TestLostChild(t *testing.T) {
	f := &fakeServer{}
	cfg := small(f.start(t)).withDefaults()
	cfg.Processes, cfg.Command = 2, childCommand(t)
	r, err := newRun(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.open(cfg, duty{Join: true})
	if err != nil {
		t.Fatal(err)
	}
	s.crews[1].(*remoteCrew).process.cmd.Process.Kill()
	if _, err := s.connect(t.Context(), 4, 0); !errors.Is(err, errChild) {
		t.Errorf("error %v", err)
	}
	if err := s.close(); !errors.Is(err, errChild) {
		t.Errorf("closing says %v", err)
	}
	if _, err := startProcess([]string{"/does/not/exist"}, job{}); !errors.Is(err, errChild) {
		t.Errorf("error %v", err)
	}
	cfg.Command = []string{"/bin/false"}
	if _, err := r.openFloor(cfg, duty{}); !errors.Is(err, errChild) {
		t.Errorf("error %v", err)
	}
}
