package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// packetSeparator separates the packets of a polling payload.
const packetSeparator = "\x1e"

// Errors of long-polling.
var (
	errPollStatus  = errors.New("long-polling request refused")
	errPollBody    = errors.New("POST answered with something else than ok")
	errUnsolicited = errors.New("bytes outside of an HTTP response")
)

// request is what a pollLink waits for.
type request uint8

const (
	requestNone request = iota
	requestGet
	requestPost
)

// pollLink is a session's long-polling transport; loop-owned. It uses a single keep-alive connection, with one request
// at a time: when the waiting GET returns, queued packets are POSTed. A browser uses a second connection, which saves
// one round trip per packet and costs the server a second connection per subscriber.
type pollLink struct {
	sub     *subscriber
	conn    *conn
	reader  responseReader
	getLine []byte   // the GET request of the session, once its sid is known
	queue   []string // packets to POST
	waiting request
	// handling is set while a response is handled, after which next is called.
	handling bool
	pausing  bool // make no further request and tell the subscriber
}

// dialPolling starts a long-polling session for a subscriber.
func dialPolling(s *subscriber) (*pollLink, error) {
	l := &pollLink{sub: s}
	l.getLine = l.getRequest("")
	if err := l.connect(); err != nil {
		return nil, err
	}
	l.next()
	return l, nil
}

// connect opens the connection of the session.
func (l *pollLink) connect() (err error) {
	l.conn, err = l.sub.w.dial(l, false)
	return err
}

// getRequest returns a GET request. An empty sid requests a new session.
func (l *pollLink) getRequest(sid string) []byte {
	t := &l.sub.w.target
	return []byte("GET " + t.query("polling", sid) + " HTTP/1.1\r\nHost: " + t.host + "\r\n\r\n")
}

// identified sets the session id of the open packet.
func (l *pollLink) identified(sid string) { l.getLine = l.getRequest(sid) }

// send queues a packet for the next POST. If no request is in flight it is sent at once, except while a response is
// handled, after which next is called anyway.
func (l *pollLink) send(packet string) {
	l.queue = append(l.queue, packet)
	if l.waiting == requestNone && !l.handling && !l.pausing {
		l.next()
	}
}

// sendBytes is send for a packet that may be overwritten.
func (l *pollLink) sendBytes(packet []byte) { l.send(string(packet)) }

// leave ends the session. A server notices the loss of a waiting GET at once; a session without one sends a close
// packet.
func (l *pollLink) leave() {
	if l.waiting != requestNone {
		l.close()
		l.sub.left()
		return
	}
	l.send(packetClose)
}

// rests reports whether the session makes no request now, because it keeps no GET waiting and has nothing to send.
func (l *pollLink) rests() bool {
	s := l.sub
	return !s.w.duty.Park && s.phase == phaseReady && len(l.queue) == 0 && len(s.asked) == 0
}

// next sends the next request: a POST of the queued packets, or else a GET.
func (l *pollLink) next() {
	if l.conn.fd < 0 { // closed by the server while the session rested
		if err := l.connect(); err != nil {
			l.sub.fail(err)
			return
		}
	}
	if len(l.queue) == 0 {
		l.waiting = requestGet
		l.conn.send(l.getLine)
		return
	}
	body := strings.Join(l.queue, packetSeparator)
	l.queue = nil
	l.waiting = requestPost
	t := &l.sub.w.target
	l.conn.send([]byte("POST " + t.query("polling", l.sub.sid) + " HTTP/1.1\r\nHost: " + t.host +
		"\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\n\r\n" + body))
}

// opened has nothing to do: the first request waits in the connection.
func (l *pollLink) opened() {}

// received reads responses.
func (l *pollLink) received(data []byte, now int64) error {
	for len(data) > 0 {
		if l.waiting == requestNone {
			return errUnsolicited
		}
		n, resp, err := l.reader.next(data)
		if err != nil {
			return err
		}
		data = data[n:]
		if resp == nil {
			return nil
		}
		if err := l.response(resp, now); err != nil {
			return err
		}
		if l.sub.phase == phaseEnded || l.conn.fd < 0 {
			return nil
		}
	}
	return nil
}

// response handles a complete response and sends the next request.
func (l *pollLink) response(resp *response, now int64) error {
	if resp.Status != 200 {
		return fmt.Errorf("%w: status %d", errPollStatus, resp.Status)
	}
	l.handling = true
	defer func() { l.handling = false }()
	reopen := resp.Close // resp may be overwritten by the next response
	if l.waiting == requestPost {
		if string(resp.Body) != "ok" {
			return errPollBody
		}
	} else if err := l.payload(resp.Body, now); err != nil {
		return err
	}
	if l.sub.phase == phaseEnded {
		return nil
	}
	l.waiting = requestNone
	if l.sub.phase == phaseLeaving {
		l.close()
		l.sub.left()
		return nil
	}
	if l.pausing {
		l.sub.paused()
		return nil
	}
	if reopen {
		l.conn.close()
		if err := l.connect(); err != nil {
			return err
		}
	}
	if !l.rests() {
		l.next()
	}
	return nil
}

// payload passes on the packets of a GET.
func (l *pollLink) payload(body []byte, now int64) error {
	for packet := range bytes.SplitSeq(body, []byte(packetSeparator)) {
		if err := l.sub.packet(packet, now); err != nil {
			return err
		}
		if l.sub.phase == phaseEnded {
			return nil
		}
	}
	return nil
}

// pause stops after the request in flight; the subscriber's paused is called
// then. A request is always in flight between two events of the loop.
func (l *pollLink) pause() { l.pausing = true }

// resume takes a pause back that has not taken effect yet.
func (l *pollLink) resume() { l.pausing = false }

// closed reports the end of the connection as the end of the session. A session that rests continues, because a server
// may close idle connections.
func (l *pollLink) closed(err error) {
	if l.rests() && l.waiting == requestNone && !l.pausing {
		l.reader = responseReader{}
		return
	}
	if errors.Is(err, io.EOF) {
		err = errTruncated
	}
	l.sub.fail(err)
}

// close closes the connection without a report to the subscriber.
func (l *pollLink) close() {
	if l.conn != nil {
		l.conn.close()
	}
}
