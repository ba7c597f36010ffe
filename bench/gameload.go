package bench

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/seed58c87869/siren/bench/sequence"
)

// The layout of a move's text: '#', the player's number as six digits, ':', the move's number as eight digits, ':', the
// time of sending in ns as nineteen digits, ':', and 'x' up to the size.
const (
	movePlayerAt = 1
	moveNumberAt = 8
	moveTimeAt   = 17
	movePadAt    = 37

	movePrefix = `2["move","`
	moveSuffix = `"]`
)

// gamePlayersMax is how many players fit the six digits of a move.
const gamePlayersMax = 1_000_000

// Limits of a game.
const (
	membersMax  = 100
	gameRateMax = 1000
)

// gamePingEvery is the time between two pings of one player.
const gamePingEvery = time.Second

// gamePingEvent is an event that is acknowledged without arguments; the id stands in its middle.
const (
	gamePingHead   = "42"
	gamePingBody   = `["ping"]`
	gamePingAnswer = "[]" // behind 3 and the id
)

// gamePlan is a load of games; a plain value that travels between processes.
type gamePlan struct {
	// Interval is the time between two moves of one player, in ns.
	Interval int64 `json:"interval_ns"`
	// Until is the clock time of the last move.
	Until int64 `json:"until"`
	Size  int   `json:"size"`
}

// player is a session's part in a game; loop-owned.
type player struct {
	sub    *subscriber
	number int
	room   string
	others []*player           // in the same room
	seen   []sequence.Sequence // the moves of each of the others that came
	moves  int                 // sent in this window
	owed   int                 // moves of others that have not come
}

// gameLoad plays small games on the sessions of one worker: each player moves at an even rate, and the server passes a
// move on to the others in the player's room. Loop-owned, the zero value is idle.
type gameLoad struct {
	w           *worker
	plan        gamePlan
	players     []*player // by number
	playing     []*player // in the order of their moves
	moveAt      []int64   // time of the next move, for each of playing
	nextMove    int
	pingAt      []int64
	nextPing    int
	id          int
	prefix      string // of the names of rooms
	packet      []byte
	padding     []byte
	outstanding int // moves and answers on their way
	active      bool
}

// seat gives a session its place in a room. Rooms fill up one after the other.
func (g *gameLoad) seat(s *subscriber) {
	if g.prefix == "" {
		g.w, g.prefix = s.w, "game-"+strconv.FormatUint(s.w.random.Uint64(), 36)+"-"
	}
	members := s.w.duty.Players
	p := &player{sub: s, number: len(g.players)}
	p.room = g.prefix + strconv.Itoa(p.number/members)
	for _, other := range g.players[p.number-p.number%members:] {
		other.others = append(other.others, p)
		p.others = append(p.others, other)
	}
	g.players = append(g.players, p)
	s.player = p
}

// begin starts a load, as part of a window that has begun already. Each player begins at a random moment of its
// interval.
func (g *gameLoad) begin(plan gamePlan, w *worker, now int64) {
	g.w, g.plan, g.active, g.outstanding = w, plan, true, 0
	g.padding = bytes.Repeat([]byte{'x'}, plan.Size-movePadAt)
	g.playing = g.playing[:0]
	for _, p := range g.players {
		p.moves, p.owed, p.seen = 0, 0, make([]sequence.Sequence, len(p.others))
		p.sub.asked = nil
		if p.sub.phase == phaseReady {
			g.playing = append(g.playing, p)
		}
	}
	w.random.Shuffle(len(g.playing), func(i, j int) { g.playing[i], g.playing[j] = g.playing[j], g.playing[i] })
	g.moveAt = g.phases(now, plan.Interval)
	g.pingAt = g.phases(now, int64(gamePingEvery))
	g.nextMove, g.nextPing = 0, 0
	g.active = len(g.playing) > 0
}

// phases are ascending moments of the interval that begins now, one for each player.
func (g *gameLoad) phases(now, interval int64) []int64 {
	at := make([]int64, len(g.playing))
	for i := range at {
		at[i] = now + g.w.random.Int64N(interval)
	}
	slices.Sort(at)
	return at
}

// unfinished returns how much keeps the load from being over.
func (g *gameLoad) unfinished() int {
	if g.active {
		return g.outstanding + 1
	}
	return g.outstanding
}

// due returns the time until the next move or ping.
func (g *gameLoad) due(now int64) (wait time.Duration, ok bool) {
	if !g.active {
		return 0, false
	}
	next := min(g.moveAt[g.nextMove], g.pingAt[g.nextPing], g.plan.Until)
	return time.Duration(max(0, next-now)), true
}

// pace sends the moves and pings whose time has come. Each counts from the moment at which it was to be sent.
func (g *gameLoad) pace(now int64) {
	if !g.active {
		return
	}
	for at := &g.moveAt[g.nextMove]; *at <= now && *at < g.plan.Until; at = &g.moveAt[g.nextMove] {
		g.move(g.playing[g.nextMove], *at)
		*at += g.plan.Interval
		g.nextMove = (g.nextMove + 1) % len(g.playing)
	}
	for at := &g.pingAt[g.nextPing]; *at <= now && *at < g.plan.Until; at = &g.pingAt[g.nextPing] {
		g.ping(g.playing[g.nextPing], *at)
		*at += int64(gamePingEvery)
		g.nextPing = (g.nextPing + 1) % len(g.playing)
	}
	g.active = now < g.plan.Until
}

// move sends one move, if the player still stands.
func (g *gameLoad) move(p *player, at int64) {
	if p.sub.phase != phaseReady {
		return
	}
	out := append(g.packet[:0], '4')
	out = append(out, movePrefix...)
	out = append(out, '#')
	out = appendPadded(out, int64(p.number), moveNumberAt-1-movePlayerAt)
	out = append(out, ':')
	out = appendPadded(out, int64(p.moves), moveTimeAt-1-moveNumberAt)
	out = append(out, ':')
	out = appendPadded(out, at, movePadAt-1-moveTimeAt)
	out = append(out, ':')
	out = append(out, g.padding...)
	g.packet = append(out, moveSuffix...)
	p.moves++
	for _, other := range p.others {
		if other.sub.phase == phaseReady {
			other.owed++
			g.outstanding++
			g.w.tally.expected++
		}
	}
	p.sub.link.sendBytes(g.packet)
}

// ping sends one event that is acknowledged, if the player still stands.
func (g *gameLoad) ping(p *player, at int64) {
	if p.sub.phase != phaseReady {
		return
	}
	id := echoIDBase + g.id%echoIDSpan
	g.id++
	g.packet = strconv.AppendInt(append(g.packet[:0], gamePingHead...), int64(id), 10)
	g.packet = append(g.packet, gamePingBody...)
	p.sub.asked = append(p.sub.asked, echoRequest{id, at})
	g.outstanding++
	g.w.tally.expected++
	p.sub.link.sendBytes(g.packet)
}

// abandon gives up what was on its way to an ended session; it counts as missing.
func (g *gameLoad) abandon(s *subscriber) {
	if s.player != nil {
		g.outstanding -= s.player.owed + len(s.asked)
		s.player.owed, s.asked = 0, nil
	}
}

// received takes a packet of a session that plays.
func (g *gameLoad) received(s *subscriber, packet []byte, now int64) {
	t := &g.w.tally
	switch {
	case !t.counts(windowGame):
		g.w.counts.stray++
	case len(packet) > 0 && packet[0] == '3':
		g.answered(s, packet, now)
	default:
		g.moved(s.player, packet, now)
	}
}

// answered takes the acknowledgement of a ping.
func (g *gameLoad) answered(s *subscriber, packet []byte, now int64) {
	id, rest := ackID(packet[1:])
	i := slices.IndexFunc(s.asked, func(r echoRequest) bool { return r.id == id })
	if i < 0 || string(rest) != gamePingAnswer {
		g.w.tally.malformedPacket(packet)
		return
	}
	at := s.asked[i].at
	s.asked = slices.Delete(s.asked, i, i+1)
	g.outstanding--
	g.w.tally.deliver(at, now)
}

// moved takes a move of another player.
func (g *gameLoad) moved(p *player, packet []byte, now int64) {
	t := &g.w.tally
	number, move, sent, ok := g.plan.parse(packet, g.padding)
	if !ok || number >= len(g.players) {
		t.malformedPacket(packet)
		return
	}
	from := slices.Index(p.others, g.players[number])
	if from < 0 || move >= p.others[from].moves {
		t.malformedPacket(packet) // of another room, or of nobody
		return
	}
	switch p.seen[from].Take(move) {
	case sequence.Duplicated:
		t.duplicated++
		return
	case sequence.Reordered:
		t.reordered++
	}
	p.owed--
	g.outstanding--
	t.deliver(sent, now)
}

// parse reads a move. ok is false unless every byte is as planned.
func (plan gamePlan) parse(p, padding []byte) (player, number int, sent int64, ok bool) {
	if len(p) != len(movePrefix)+plan.Size+len(moveSuffix) ||
		string(p[:len(movePrefix)]) != movePrefix || string(p[len(p)-len(moveSuffix):]) != moveSuffix {
		return 0, 0, 0, false
	}
	text := p[len(movePrefix) : len(movePrefix)+plan.Size]
	if text[0] != '#' || text[moveNumberAt-1] != ':' || text[moveTimeAt-1] != ':' || text[movePadAt-1] != ':' {
		return 0, 0, 0, false
	}
	who, ok1 := digits(text[movePlayerAt : moveNumberAt-1])
	n, ok2 := digits(text[moveNumberAt : moveTimeAt-1])
	sent, ok3 := digits(text[moveTimeAt : movePadAt-1])
	return int(who), int(n), sent, ok1 && ok2 && ok3 && bytes.Equal(text[movePadAt:], padding)
}
