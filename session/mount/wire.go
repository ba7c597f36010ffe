package mount

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// wireReadBytes is the size of the buffer in which a wire waits for input: four small frames of a browser, a
	// quarter of a TLS record. Longer messages take several reads.
	wireReadBytes = 4 << 10
	// wireWriteBytes is the size of one write, which is one TLS record.
	wireWriteBytes = 16 << 10
	// wireLastBytes is wireWriteBytes for a wire that is about to close. Time limits then count from the last progress,
	// which shows only between two writes.
	wireLastBytes = 2 << 10
)

// wire is a bridge to a net.Conn that only Go's network poller can watch, such as TLS. One goroutine reads; another
// writes while there is something to write. Safe for concurrent use.
type wire struct {
	*bridge
	h    *Handler
	conn net.Conn

	state   sync.Mutex
	writing bool // guarded by state: the writer runs
	done    bool // guarded by state: the writer is not needed any more
}

var writeBuffers = sync.Pool{New: func() any { return new([wireWriteBytes]byte) }}

// kicked starts the writer unless it runs.
func (w *wire) kicked() {
	w.state.Lock()
	defer w.state.Unlock()
	if !w.writing && !w.done {
		w.writing = true
		w.h.more() // the reader is a user still, or done is set
		go w.write()
	}
}

// read passes bytes from the connection to the loop until either ends. It is the goroutine of the wire.
func (w *wire) read() {
	defer w.h.leave()
	err := w.pump()
	w.finish(err)
	_ = w.conn.Close()
	w.retire()
	w.h.remove(w)
	w.h.wires.Add(-1)
}

// retire keeps writers from starting.
func (w *wire) retire() {
	w.state.Lock()
	defer w.state.Unlock()
	w.done = true
}

// pump reads, and waits after each read until the loop has handled the bytes, so that input which the client sends
// ahead waits in the kernel.
func (w *wire) pump() error {
	quit := w.h.done()
	buf := make([]byte, wireReadBytes)
	for {
		select {
		case <-w.fed:
		case <-quit:
			return errCut
		case <-w.h.cfg.Failed: // the event loops have failed
			return errCut
		}
		n, err := w.conn.Read(buf)
		if err != nil {
			return err
		}
		w.feed(buf[:n])
	}
}

// errCut ends connections in Close.
var errCut = errors.New("siren: closed")

// write sends the output, including what is added meanwhile, and ends the connection when that is requested.
func (w *wire) write() {
	defer w.h.leave()
	var frames [][]byte
	for {
		var ending bridgeEnding
		frames, ending = w.take(frames)
		if ending == bridgeNow {
			w.cut()
			return
		}
		if err := w.send(frames, ending); err != nil {
			w.end(bridgeNow)
			w.cut()
			return
		}
		if len(frames) > 0 {
			continue
		}
		if ending == bridgeFlush {
			w.halfClose()
		}
		if w.retreat(ending) {
			return
		}
	}
}

// retreat ends the writer, which has handled that ending, if there is nothing new to do; kicked starts it again.
func (w *wire) retreat(ending bridgeEnding) bool {
	w.state.Lock()
	defer w.state.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.out) > 0 || w.ending != ending {
		return false
	}
	w.writing = false
	return true
}

// send writes frames, many small ones at once.
func (w *wire) send(frames [][]byte, ending bridgeEnding) error {
	room := writeBuffers.Get().(*[wireWriteBytes]byte)
	defer writeBuffers.Put(room)
	buf := room[:0]
	if ending != bridgeOpen {
		buf = room[:0:wireLastBytes]
	}
	for _, f := range frames {
		for len(f) > 0 {
			n := min(len(f), cap(buf)-len(buf))
			buf = append(buf, f[:n]...)
			f = f[n:]
			if len(buf) < cap(buf) {
				continue
			}
			if err := w.put(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return w.put(buf)
}

func (w *wire) put(buf []byte) error {
	if len(buf) == 0 {
		return nil
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(w.h.cfg.WriteTimeout)); err != nil {
		return err
	}
	if _, err := w.conn.Write(buf); err != nil {
		return err // what was not written stays counted, see finish
	}
	w.sent(len(buf))
	return nil
}

// halfClose shuts down the sending side, if the connection can, and waits for the client to close. Closing at once
// would reset the connection if the client has sent bytes that were not read, and the client could lose the end of the
// data.
func (w *wire) halfClose() {
	if half, ok := w.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
		w.cut()
	}
}

// cut closes the connection, which makes the reader end.
func (w *wire) cut() { _ = w.conn.Close() }
