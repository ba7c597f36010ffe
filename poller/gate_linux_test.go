package poller

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// listenQueue returns the length of a TCP listen queue.
func listenQueue(t *testing.T, fd int) int {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sacked) // of a listening socket
}

// The fewer descriptors are left, the shorter are the listen queues: what they hold must fit twice.
func TestListenQueueFitsTheDescriptors(t *testing.T) {
	conns := 0
	g := &gate{shutAt: 1 << 30, room: 10_000, queues: queueLengths{longest: 2048, shortest: 100}, conns: func() int { return conns }, warn: func() {}}
	var fds []int
	for range 2 {
		ln, err := openListener(address{"tcp", "127.0.0.1:0"}, &Config{})
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, ln.fd)
	}
	if err := g.open(fds); err != nil {
		t.Fatal(err)
	}
	defer g.close()
	check := func(want int) {
		t.Helper()
		for _, fd := range fds {
			if got := listenQueue(t, fd); got != want {
				t.Errorf("with %d connections a queue has %d places, want %d", conns, got, want)
			}
		}
	}
	check(2048)
	for _, step := range []struct{ conns, want int }{
		{1808, 2048}, {1809, 1024}, {5904, 1024}, {5905, 512}, {8900, 256}, {9600, 100}, {10_000, 100},
	} {
		conns = step.conns
		g.note(3, conns)
		check(step.want)
	}
	g.check() // as the timer does
	check(100)
	for _, step := range []struct{ conns, want int }{{8900, 256}, {0, 2048}} {
		conns = step.conns
		g.check()
		check(step.want)
	}
}

// An engine makes its queues as long as the kernel does by default, and a burst of connects to a unix socket, which the
// kernel does not retry, finds room.
func TestBurstOfConnects(t *testing.T) {
	const burst = 3000
	if listenQueueMax() < burst {
		t.Skipf("net.core.somaxconn is %d", listenQueueMax())
	}
	path := filepath.Join(t.TempDir(), "s")
	e, err := New(Config{Addrs: []string{"tcp4://127.0.0.1:0", "unix://" + path}, Accept: func(*Conn) Receiver { return mute{} }, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if e.Config().MaxConns < 2*burst {
		t.Skipf("room for %d connections only", e.Config().MaxConns)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	defer stop(t, e)
	if got := listenQueue(t, e.gate.fds[0]); got < burst {
		t.Errorf("the TCP queue has %d places", got)
	}
	refused := 0
	for range burst {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer closeFile(fd)
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); errors.Is(err, unix.EAGAIN) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if refused > 0 {
		t.Errorf("%d of %d connects found no room", refused, burst)
	}
}

// mute is a Receiver that does nothing.
type mute struct{}

func (mute) Receive(data []byte) (int, int) { return len(data), 0 }
func (mute) Closed(error)                   {}
