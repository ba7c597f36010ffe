package session

import (
	"strings"
	"testing"
)

// frameConn keeps the frame that was queued last.
type frameConn struct {
	nullConn
	frame []byte
}

func (c *frameConn) Queue(frame []byte) bool {
	c.frame = frame
	return true
}

// An answer takes little more memory than it has bytes, and one allocation, also when a few answers have long heads.
func TestAnswersTakeTheMemoryOfTheirBytes(t *testing.T) {
	e := newBench(t, Config{})
	c := &frameConn{}
	c.recv = e.engine.Accept(c, 0)
	feed := func(text string) { c.recv.Receive([]byte(text)) }
	feed(request("GET", base+"polling", ""))
	sid := e.session().sid
	for range 3 {
		feed(postRequest(sid, `42["message",1]`))
		feed("OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nOrigin: http://" + strings.Repeat("a", 200) + "\r\n\r\n")
	}
	feed(postRequest(sid, `42["message",1]`))
	if size, room := len(c.frame), cap(c.frame); room > max(size+size/8, responseHeadRoom+16) {
		t.Errorf("an answer of %d bytes takes %d", size, room)
	}
	fresh := newBench(t, Config{})
	c = &frameConn{}
	c.recv = fresh.engine.Accept(c, 0)
	feed(request("GET", base+"polling", ""))
	sid = fresh.session().sid
	for range 3 {
		feed(postRequest(sid, `42["message",1]`))
		if size, room := len(c.frame), cap(c.frame); room > size*5/4 {
			t.Errorf("an answer of %d bytes takes %d", size, room)
		}
	}
}
