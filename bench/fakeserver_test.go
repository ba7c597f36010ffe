package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// fakeServer speaks the load profile on a plain listener, and makes mistakes
// on demand. Fields are set before start.
type fakeServer struct {
	t testing.TB
	// alter turns tick n for the sub-th joined session into what is sent.
	alter func(sub, n int, packet string) []string
	// onTick runs before tick n is queued for the session.
	onTick func(s *fakeSession, sub, n int)
	// answer frames a polling response; contentLength by default.
	answer func(body string) string
	// closeAfter ends a polling connection after each response.
	closeAfter bool
	// refuse makes a WebSocket upgrade with a sid fail.
	refuse bool
	// silent leaves join unanswered.
	silent bool
	// early sends a tick right after the join.
	early bool
	// echo turns the acknowledgement of the n-th echo into what is sent.
	echo func(n int, answer string) []string
	// move turns the n-th delivery of a game into what is sent.
	move func(n int, packet string) []string
	// admit decides about the n-th connection; one that it refuses is closed.
	admit func(n int) bool
	// trickle sends WebSocket bytes one at a time.
	trickle bool

	listener net.Listener
	clock    clock
	wg       sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	sessions map[string]*fakeSession
	joined   []*fakeSession
	accepted int
	echoes   int
	moves    int
	closed   bool
}

// fakeSession is one session; mu guards all but the immutable server and sid.
type fakeSession struct {
	server *fakeServer
	sid    string

	mu      sync.Mutex
	changed *sync.Cond
	queue   []string
	socket  net.Conn // nil while polling
	room    string   // of a game
	probed  bool     // release the parked GET
	ended   bool
}

// start listens; everything ends with the test.
func (f *fakeServer) start(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.t, f.listener, f.clock = t, l, newClock()
	f.conns, f.sessions = make(map[net.Conn]struct{}), make(map[string]*fakeSession)
	if f.answer == nil {
		f.answer = contentLength
	}
	f.wg.Add(1)
	go f.accept()
	t.Cleanup(f.stop)
	return "http://" + l.Addr().String()
}

func contentLength(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func (f *fakeServer) stop() {
	f.listener.Close()
	f.mu.Lock()
	f.closed = true
	for c := range f.conns {
		c.Close()
	}
	for _, s := range f.sessions {
		s.end()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *fakeServer) accept() {
	defer f.wg.Done()
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.accepted++
		if f.closed || f.admit != nil && !f.admit(f.accepted-1) {
			c.Close()
		} else {
			f.conns[c] = struct{}{}
			f.wg.Add(1)
			go f.serve(c)
		}
		f.mu.Unlock()
	}
}

func (f *fakeServer) serve(c net.Conn) {
	defer f.wg.Done()
	defer func() {
		c.Close()
		f.mu.Lock()
		delete(f.conns, c)
		f.mu.Unlock()
	}()
	in := bufio.NewReader(c)
	for {
		line, fields, body, raw, err := readRequest(in)
		if err != nil {
			return
		}
		target, err := url.Parse(strings.Fields(line)[1])
		if err != nil {
			return
		}
		q := target.Query()
		if fields["upgrade"] != "" {
			f.serveWebSocket(c, in, raw, q.Get("sid"))
			return
		}
		if !f.servePolling(c, line[:4], q.Get("sid"), body) || f.closeAfter {
			return
		}
	}
}

// readRequest reads one HTTP request; raw is its head.
func readRequest(in *bufio.Reader) (line string, fields map[string]string, body, raw []byte, err error) {
	fields = make(map[string]string)
	for {
		text, err := in.ReadString('\n')
		if err != nil {
			return "", nil, nil, nil, err
		}
		raw = append(raw, text...)
		text = strings.TrimRight(text, "\r\n")
		if text == "" {
			break
		}
		if line == "" {
			line = text
			continue
		}
		name, value, _ := strings.Cut(text, ":")
		fields[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	n, _ := strconv.Atoi(fields["content-length"])
	body = make([]byte, n)
	_, err = io.ReadFull(in, body)
	return line, fields, body, raw, err
}

func (f *fakeServer) session(sid string) *fakeSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	if sid != "" {
		return f.sessions[sid]
	}
	s := &fakeSession{server: f, sid: fmt.Sprintf("session%d", len(f.sessions))}
	s.changed = sync.NewCond(&s.mu)
	f.sessions[s.sid] = s
	return s
}

func (s *fakeSession) openPacket() string {
	return `0{"sid":"` + s.sid + `","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
}

func (f *fakeServer) servePolling(c net.Conn, method, sid string, body []byte) bool {
	s := f.session(sid)
	if s == nil {
		return false
	}
	answer := "ok"
	switch {
	case sid == "":
		answer = s.openPacket()
	case method == "POST":
		for packet := range bytes.SplitSeq(body, []byte(packetSeparator)) {
			s.packet(string(packet))
		}
	default:
		packets := s.park()
		if packets == nil {
			return false
		}
		answer = strings.Join(packets, packetSeparator)
	}
	_, err := io.WriteString(c, f.answer(answer))
	return err == nil
}

// park waits for what a GET may bring; nil when the session has ended.
func (s *fakeSession) park() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.probed && !s.ended {
		s.changed.Wait()
	}
	if s.ended {
		return nil
	}
	packets := s.queue
	s.queue = nil
	if len(packets) == 0 {
		packets = []string{"6"}
	}
	return packets
}

func (f *fakeServer) serveWebSocket(c net.Conn, in *bufio.Reader, head []byte, sid string) {
	s := f.session(sid)
	if s == nil || sid != "" && f.refuse {
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		return
	}
	stream := struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(head), c}
	if _, err := ws.Upgrade(stream); err != nil {
		return
	}
	if sid == "" {
		s.mu.Lock()
		s.socket = c
		s.mu.Unlock()
		s.send(s.openPacket())
	}
	// Writes to the socket are made under the session's lock; control frames
	// do not occur here.
	frames := struct {
		io.Reader
		io.Writer
	}{in, c}
	for {
		packet, err := wsutil.ReadClientText(frames)
		if err != nil {
			s.end()
			return
		}
		switch string(packet) {
		case probePing:
			s.mu.Lock()
			ws.WriteFrame(c, ws.NewTextFrame([]byte(probePong)))
			s.probed = true
			s.changed.Broadcast()
			s.mu.Unlock()
		case packetUpgrade:
			s.mu.Lock()
			s.socket = c
			queue := s.queue
			s.queue = nil
			for _, p := range queue {
				s.write(p)
			}
			s.mu.Unlock()
		default:
			s.packet(string(packet))
		}
	}
}

// packet handles what a client sends.
func (s *fakeSession) packet(p string) {
	f := s.server
	switch {
	case p == packetClose:
		s.end()
	case strings.HasPrefix(p, "42") && strings.Contains(p, `["echo",`):
		id, rest, _ := strings.Cut(p[2:], `["echo",`)
		f.mu.Lock()
		n := f.echoes
		f.echoes++
		f.mu.Unlock()
		answers := []string{"43" + id + "[" + rest}
		if f.echo != nil {
			answers = f.echo(n, answers[0])
		}
		for _, answer := range answers {
			s.send(answer)
		}
	case strings.HasPrefix(p, `420["enter",`):
		s.mu.Lock()
		s.room = p
		s.mu.Unlock()
		s.send("4" + packetJoined)
	case strings.HasPrefix(p, `42["move",`):
		f.pass(s, p)
	case strings.HasPrefix(p, "42") && strings.HasSuffix(p, gamePingBody):
		s.send("43" + p[2:len(p)-len(gamePingBody)] + "[]")
	case p == packetConnect:
		s.send(`40{"sid":"x` + s.sid + `"}`)
	case p == packetJoin && !f.silent:
		f.mu.Lock()
		f.joined = append(f.joined, s)
		f.mu.Unlock()
		s.send("4" + packetJoined)
		if f.early {
			s.send("4" + tickPacket(0, 64, f.clock.now()))
		}
	case strings.HasPrefix(p, `42["publish`):
		var event []json.RawMessage
		var spec struct {
			N    int   `json:"n"`
			Size int   `json:"size"`
			Gap  int64 `json:"gap_us"`
		}
		if json.Unmarshal([]byte(p[2:]), &event) != nil || json.Unmarshal(event[1], &spec) != nil {
			f.t.Errorf("publish packet %q", p)
			return
		}
		to := f.joined
		if strings.HasPrefix(p, `42["publish-all"`) {
			to = nil
			f.mu.Lock()
			for _, other := range f.sessions {
				to = append(to, other)
			}
			f.mu.Unlock()
		}
		f.publish(to, spec.N, spec.Size, time.Duration(spec.Gap)*time.Microsecond)
	}
}

// pass sends a move to the others in the room.
func (f *fakeServer) pass(from *fakeSession, p string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		s.mu.Lock()
		there := s != from && s.room == from.room
		s.mu.Unlock()
		if !there {
			continue
		}
		packets := []string{p}
		if f.move != nil {
			packets = f.move(f.moves, p)
		}
		f.moves++
		for _, packet := range packets {
			s.send(packet)
		}
	}
}

func (f *fakeServer) publish(to []*fakeSession, n, size int, gap time.Duration) {
	for i := range n {
		packet := "4" + tickPacket(i, size, f.clock.now())
		for sub, s := range to {
			if f.onTick != nil {
				f.onTick(s, sub, i)
			}
			packets := []string{packet}
			if f.alter != nil {
				packets = f.alter(sub, i, packet)
			}
			for _, p := range packets {
				s.send(p)
			}
		}
		time.Sleep(gap)
	}
}

func (s *fakeSession) send(packet string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket == nil {
		s.queue = append(s.queue, packet)
		s.changed.Broadcast()
		return
	}
	s.write(packet)
}

// write sends a frame; mu is held. Errors mean that the client has gone.
func (s *fakeSession) write(packet string) {
	frame := ws.MustCompileFrame(ws.NewTextFrame([]byte(packet)))
	if !s.server.trickle {
		s.socket.Write(frame)
		return
	}
	for i := range frame {
		s.socket.Write(frame[i : i+1])
	}
}

// end closes the session and what it waits for.
func (s *fakeSession) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.socket != nil {
		s.socket.Close()
	}
	s.changed.Broadcast()
}
