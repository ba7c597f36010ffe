package servertest

import (
	"bufio"
	"bytes"
	"io"
	"net/http"

	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// wire is the client's side of one connection: a WebSocket, or HTTP requests one after the other.
type wire struct {
	conn *pollertest.Conn
	in   []byte // what has come and was not looked at
	// webSocket is set when the opening handshake is done.
	webSocket bool
	frames    wsframe.Reader
	// stalled means that the client does not read.
	stalled bool
	// busy means that a request waits for its answer.
	busy bool
}

// write sends bytes.
func (w *wire) write(data []byte) { w.conn.Feed(data) }

// pull reads what has arrived.
func (w *wire) pull() {
	if w.stalled {
		return
	}
	for _, f := range w.conn.TakeFrames() {
		w.in = append(w.in, f...)
	}
}

// closed reports whether the server has closed the connection.
func (w *wire) closed() bool {
	closed, _ := w.conn.Closed()
	return closed
}

// cut ends the connection from the client's side.
func (w *wire) cut() {
	if w != nil {
		w.conn.PeerClose(io.EOF)
	}
}

// stall makes the client stop reading, or read again.
func (w *wire) stall(on bool) {
	if w == nil || w.stalled == on {
		return
	}
	w.stalled = on
	if closed := w.closed(); closed && !on {
		w.conn.TakeFrames() // it has closed before this could leave
		return
	}
	w.conn.Stall(on)
}

// response returns the next response, or nil if none has arrived.
func (w *wire) response() (r *http.Response, body []byte, err error) {
	w.pull()
	if len(w.in) == 0 {
		return nil, nil, nil
	}
	src := bytes.NewReader(w.in)
	buf := bufio.NewReader(src)
	if r, err = http.ReadResponse(buf, &http.Request{Method: http.MethodGet}); err != nil {
		return nil, nil, err
	}
	if r.StatusCode != http.StatusSwitchingProtocols {
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, nil, err
		}
	}
	w.in = w.in[len(w.in)-src.Len()-buf.Buffered():]
	w.busy = false
	return r, body, nil
}

var clientLimits = wsframe.Limits{Client: true, MessageBytes: 1 << 30, Fragments: 1 << 20}

// message returns the next WebSocket message, whose data is valid until the next call. It returns false if none has
// arrived.
func (w *wire) message(m *wsframe.Message) (bool, error) {
	w.pull()
	for len(w.in) > 0 {
		n, err := w.frames.Next(w.in, &clientLimits, m)
		if err != nil || n == 0 {
			return false, err
		}
		w.in = w.in[n:]
		if m.Kind != wsframe.None {
			return true, nil
		}
	}
	return false, nil
}
