package poller

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

const privatePossible = true

const (
	firstFile   = 3 // after standard input, output and error
	filesDir    = "/proc/thread-self/fd/"
	fileInfoDir = "/proc/thread-self/fdinfo/"
	epollLink   = "anon_inode:[eventpoll]"
)

// isolate moves the loop to a thread with its own table of descriptors. It is called on the loop, in OnOpen of the
// loop's first connection, whose descriptor is fd.
func (l *Loop) isolate(fd int) error {
	if err := lockThread(); err != nil {
		return err
	}
	l.thread = unix.Gettid()
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	// The thread stays locked from here on, even after an error: other goroutines must not run on it.
	err := closeShared(fd)
	files, listErr := openFiles()
	polled, pollErr := polledWith(fd, files)
	if err := errors.Join(err, listErr, pollErr); err != nil {
		return err
	}
	for _, n := range files {
		if n >= firstFile && !polled[n] && isSocket(n) {
			_ = unix.Close(n)
		}
	}
	return l.tuneListeners(polled)
}

// tuneListeners sets the options of the loop's listeners that gnet does not set.
func (l *Loop) tuneListeners(polled map[int]bool) (err error) {
	cfg := &l.engine.config
	listeners := 0
	for n := range polled {
		if on, e := unix.GetsockoptInt(n, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); e != nil || on == 0 {
			continue
		}
		listeners++
		err = errors.Join(err, unix.Listen(n, cfg.Backlog))
		if cfg.KeepAlive > 0 {
			err = errors.Join(err, setKeepAlive(n, cfg.KeepAlive))
		}
	}
	if listeners != len(l.engine.addrs) {
		err = errors.Join(err, fmt.Errorf("loop %d has %d listeners of %d", l.index, listeners, len(l.engine.addrs)))
	}
	return err
}

// lockThread locks the calling goroutine to its thread for good; the thread ends with the goroutine. It avoids the
// process's first thread, which the runtime never ends, and whose table would stay open.
func lockThread() error {
	const tries = 1000
	for range tries {
		runtime.LockOSThread()
		if !onFirstThread() {
			return nil
		}
		runtime.UnlockOSThread()
		release := occupyFirstThread()
		defer release()
	}
	return errors.New("poller: no thread for a loop")
}

func onFirstThread() bool { return unix.Gettid() == unix.Getpid() }

// occupyFirstThread is called on the process's first thread. It starts a goroutine that most probably gets this thread
// while the caller waits, and keeps it until release is called. The caller continues on another thread.
func occupyFirstThread() (release func()) {
	tried, quit := make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		first := onFirstThread()
		close(tried)
		if first {
			<-quit
		}
	}()
	<-tried
	return func() { close(quit) }
}

// closeShared closes fd in the process's shared table, on another goroutine, because the caller is locked to a thread
// with its own table.
func closeShared(fd int) error {
	done := make(chan error)
	go func() { done <- unix.Close(fd) }()
	return os.NewSyscallError("close", <-done)
}

// openFiles returns the descriptors in the calling thread's table.
func openFiles() ([]int, error) {
	entries, err := os.ReadDir(filesDir)
	if err != nil {
		return nil, err
	}
	files := make([]int, 0, len(entries))
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil {
			files = append(files, n)
		}
	}
	return files, nil
}

// polledWith returns the descriptors in the epoll set that contains fd. That set is the loop's, which gnet does not
// export.
func polledWith(fd int, files []int) (map[int]bool, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	for _, n := range files {
		if link, err := os.Readlink(filesDir + strconv.Itoa(n)); err != nil || link != epollLink {
			continue
		}
		info, err := os.ReadFile(fileInfoDir + strconv.Itoa(n))
		if err != nil {
			return nil, err
		}
		if polled, ok := parsePolled(info, fd, stat.Ino); ok {
			return polled, nil
		}
	}
	return nil, fmt.Errorf("no epoll set has descriptor %d", fd)
}

// parsePolled parses the lines "tfd: 5 events: 19 data: 5 pos:0 ino:2a sdev:8" of an epoll set. ok reports whether the
// set contains fd with that inode; the number alone may mean another file in the table of another loop.
func parsePolled(info []byte, fd int, inode uint64) (polled map[int]bool, ok bool) {
	polled = map[int]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 2 || string(fields[0]) != "tfd:" {
			continue
		}
		n, err := strconv.Atoi(string(fields[1]))
		if err != nil {
			continue
		}
		polled[n] = true
		for _, f := range fields[2:] {
			if hex, is := bytes.CutPrefix(f, []byte("ino:")); is && n == fd {
				ino, err := strconv.ParseUint(string(hex), 16, 64)
				ok = ok || err == nil && ino == inode
			}
		}
	}
	return polled, ok
}

func isSocket(fd int) bool {
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// threadLives reports whether the process has a thread of that id.
func threadLives(id int) bool { return unix.Tgkill(unix.Getpid(), id, 0) == nil }
