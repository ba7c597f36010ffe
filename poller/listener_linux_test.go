package poller

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	noIPv6Mode     = "no IPv6"
	bindV6OnlyMode = "bindv6only"
	ipv6OffMode    = "disable_ipv6"
)

func init() {
	children[noIPv6Mode] = func() int { return listenChild(refuseIPv6) }
	children[bindV6OnlyMode] = func() int { return listenChild(func() error { return setUpNetwork("bindv6only") }) }
	children[ipv6OffMode] = func() int { return listenChild(func() error { return setUpNetwork("conf/all/disable_ipv6") }) }
}

// listenChild prints, for each address, what it listens on, which families of addresses reach it, and whether the
// engine reaches itself, as Adopt needs.
func listenChild(prepare func() error) int {
	if err := prepare(); err != nil {
		fmt.Println("skip:", err)
		return 0
	}
	for _, addr := range strings.Fields(os.Getenv("POLLER_TEST_ADDRS")) {
		_, reusePort := os.LookupEnv("POLLER_TEST_REUSEPORT")
		h := newHub()
		h.receive = echo
		e, err := New(Config{Addrs: []string{addr}, Accept: h.accept, Logger: quiet(), Backlog: 8, ReusePort: reusePort, Loops: 2})
		if err == nil {
			err = e.Start()
		}
		if err != nil {
			fmt.Println(addr, "error", err)
			continue
		}
		host, port, _ := net.SplitHostPort(e.Addr().String())
		e.revealLoops()
		shown := e.revealedLoops() == len(e.Loops())
		fmt.Println(addr, host, reaches("127.0.0.1", port)+reaches("::1", port), shown)
		if err := stopNow(e); err != nil {
			fmt.Println(addr, "stop", err)
		}
	}
	return 0
}

// reaches is 4 or 6, the family of the host, when an echo server there answers.
func reaches(host, port string) string {
	c, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return ""
	}
	defer c.Close()
	buf := []byte("hello")
	if _, err := c.Write(buf); err != nil {
		return ""
	}
	if _, err := io.ReadFull(c, buf); err != nil {
		return ""
	}
	if strings.Contains(host, ":") {
		return "6"
	}
	return "4"
}

// refuseIPv6 makes socket(AF_INET6) fail in the whole process, as it does on a kernel without IPv6.
func refuseIPv6() error {
	const number, firstArg = 0, 16 // offsets in struct seccomp_data, on machines that are little-endian
	rules := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: firstArg},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_INET6, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(rules)), Filter: &rules[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

// setUpNetwork switches a setting of IPv6 on in the process's network namespace, and sets its loopback up.
func setUpNetwork(setting string) error {
	if err := os.WriteFile("/proc/sys/net/ipv6/"+setting, []byte("1"), 0); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer closeFile(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// runListenChild runs the test binary as another program, in a network namespace of its own if it is to have one.
func runListenChild(t *testing.T, mode string, ownNetwork, reusePort bool, addrs []string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), stormEnv+"="+mode, "POLLER_TEST_ADDRS="+strings.Join(addrs, " "))
	if reusePort {
		cmd.Env = append(cmd.Env, "POLLER_TEST_REUSEPORT=1")
	}
	if ownNetwork {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
		if os.Geteuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil && ownNetwork && len(out) == 0 && errs.Len() == 0 {
		t.Skipf("no network namespace: %v", err)
	}
	text := strings.TrimSpace(string(out))
	if strings.HasPrefix(text, "skip:") {
		t.Skip(text)
	}
	if err != nil {
		t.Fatalf("%v: %s%s", err, text, &errs)
	}
	return strings.Split(text, "\n")
}

func TestListenOnAllAddresses(t *testing.T) {
	for _, c := range []struct {
		name                  string
		mode                  string
		ownNetwork, reusePort bool
		want                  []string // address, host, families that reach it, whether the engine does
	}{
		{"without IPv6", noIPv6Mode, false, false, []string{
			":0 0.0.0.0 4 true", "tcp://:0 0.0.0.0 4 true", "tcp4://:0 0.0.0.0 4 true", "tcp://localhost:0 127.0.0.1 4 true",
		}},
		{"without IPv6, ReusePort", noIPv6Mode, false, true, []string{":0 0.0.0.0 4 true", "tcp4://:0 0.0.0.0 4 true"}},
		{"IPv6 is switched off", ipv6OffMode, true, false, []string{
			":0 :: 4 true", "tcp://[::]:0 :: 4 true", "tcp4://:0 0.0.0.0 4 true", "tcp://0.0.0.0:0 0.0.0.0 4 true",
		}},
		{"IPv6 sockets are for IPv6 alone", bindV6OnlyMode, true, false, []string{
			":0 :: 46 true", "tcp://:0 :: 46 true", "tcp://[::]:0 :: 46 true", "tcp6://:0 :: 6 true", "tcp6://[::]:0 :: 6 true",
			"tcp4://:0 0.0.0.0 4 true", "tcp://0.0.0.0:0 0.0.0.0 4 true", "tcp://[::1]:0 ::1 6 true",
		}},
		{"IPv6 sockets are for IPv6 alone, ReusePort", bindV6OnlyMode, true, true, []string{
			"tcp://[::]:0 error cannot listen on tcp://[::]:0: " + errBindV6Only.Error(), "tcp6://[::]:0 :: 6 true",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			addrs := make([]string, len(c.want))
			for i, w := range c.want {
				addrs[i], _, _ = strings.Cut(w, " ")
			}
			got := runListenChild(t, c.mode, c.ownNetwork, c.reusePort, addrs)
			if len(got) != len(c.want) {
				t.Fatalf("%q", got)
			}
			for i, w := range c.want {
				if got[i] != w {
					t.Errorf("%q, want %q", got[i], w)
				}
			}
		})
	}
}

// While the engine runs, its own sockets are the only ones that listen: gnet's placeholders are gone.
func TestOnlyTheAddressesListen(t *testing.T) {
	before := listening(t)
	e := start(t, Config{Addrs: []string{":0", "tcp4://127.0.0.1:0", "unix://" + t.TempDir() + "/s"}, Accept: newHub().accept})
	want := map[string]bool{}
	for _, a := range e.Addrs() {
		want[a.String()] = true
	}
	for name := range listening(t) {
		if !want[name] && !before[name] {
			t.Errorf("%s listens, want %v", name, e.Addrs())
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("%v do not listen", want)
	}
}

// listening returns the names of the process's listening sockets.
func listening(t *testing.T) map[string]bool {
	t.Helper()
	files, err := openFiles()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, fd := range files {
		if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
			continue
		}
		switch sa, _ := unix.Getsockname(fd); sa := sa.(type) {
		case *unix.SockaddrUnix:
			names[sa.Name] = true
		default:
			names[net.TCPAddrFromAddrPort(addrPortOf(sa)).String()] = true
		}
	}
	return names
}
