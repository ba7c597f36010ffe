package poller

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pauser lets a loop wait and keep its processor of Go's scheduler, which does not know that the thread waits. To give
// the processor back and to get one again costs more than a small pass, and the scheduler's monitor runs all the time
// while threads do that often. Loop-owned.
//
// Other goroutines that have become ready run before a wait, and a goroutine that a network poller of Go's would wake
// runs before the next one.
type pauser struct {
	nap   unix.Timespec
	file  *os.File // an event file that Go's network poller watches; nil until the first pause
	conn  syscall.RawConn
	asked bool
	ask   func(fd uintptr) bool
}

// pause waits for Config.GatherTime, or until a signal comes.
func (l *Loop) pause() {
	p := &l.pauser
	if p.file == nil && !p.open() {
		time.Sleep(l.engine.config.GatherTime)
		return
	}
	p.asked = false
	_ = p.conn.Read(p.ask)
	p.nap = unix.NsecToTimespec(int64(l.engine.config.GatherTime))
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&p.nap)), 0, 0)
}

// open makes the event file. It returns false if the system has none.
func (p *pauser) open() bool {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return false
	}
	file := os.NewFile(uintptr(fd), "pause")
	conn, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return false
	}
	p.file, p.conn, p.ask = file, conn, p.wait
	return true
}

// wait writes to the event file and returns false, so that the goroutine waits until Go's network poller has seen that.
// Nobody else looks at the network while all processors are kept.
func (p *pauser) wait(fd uintptr) bool {
	if p.asked {
		return true
	}
	p.asked = true
	one := [8]byte{1}
	_, err := unix.Write(int(fd), one[:])
	return err != nil
}

// closePauser releases the event file. The loop must have ended.
func (l *Loop) closePauser() {
	if l.pauser.file != nil {
		_ = l.pauser.file.Close()
	}
}
