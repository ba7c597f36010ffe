package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// gameRoom returns a worker that does not run, with players that stand in rooms of three, and their peers.
func gameRoom(t *testing.T, players int) (*worker, []int) {
	t.Helper()
	s, c, peer := newTestSubscriber(t, Config{Kind: KindGame})
	w, peers := s.w, []int{peer}
	w.duty.Players = 3
	s.link = &wsLink{sub: s, conn: c, open: true}
	for range players - 1 {
		other, conn, peer := newTestSubscriber(t, Config{Kind: KindGame})
		other.w = w // the connection stays with its own, which closes it
		other.link = &wsLink{sub: other, conn: conn, open: true}
		w.subs, peers = append(w.subs, other), append(peers, peer)
	}
	for _, sub := range w.subs {
		w.game.seat(sub)
	}
	w.tally.begin(windowGame, 0)
	return w, peers
}

// moveOf returns a move as the server passes it on.
func moveOf(player, number int, sent int64, size int) []byte {
	text := fmt.Sprintf("#%06d:%08d:%019d:", player, number, sent)
	return []byte(`2["move","` + text + strings.Repeat("x", size-len(text)) + `"]`)
}

// Each player moves at its pace, and the others in its room, but nobody else, are to get the move.
func TestPlayersMoveAndPing(t *testing.T) {
	w, peers := gameRoom(t, 5)
	g := &w.game
	g.begin(gamePlan{Interval: 100, Until: 250, Size: 40}, w, 0)
	if wait, ok := g.due(0); !ok || wait > 100 {
		t.Errorf("due in %v, %v", wait, ok)
	}
	g.pace(99)
	for i, peer := range peers {
		text := sent(t, peer)
		if moves := w.subs[i].player.moves; moves != 1 || len(text) == 0 {
			t.Errorf("player %d has made %d moves, sent %d bytes", i, moves, len(text))
		}
	}
	// Rooms of three and of two: 3 * 2 + 2 * 1 deliveries.
	if w.tally.expected != 8 || g.outstanding != 8 {
		t.Errorf("%d expected, %d outstanding", w.tally.expected, g.outstanding)
	}
	g.pace(int64(gamePingEvery)) // late: what was due before the end is sent, and then no more
	pings := 0
	for _, s := range w.subs {
		pings += len(s.asked)
	}
	moves := 0
	for _, p := range g.players {
		moves += p.moves
	}
	if g.active || moves < 10 || moves > 15 || int(w.tally.expected) < 16+pings {
		t.Errorf("active %v, %d moves, %d expected", g.active, moves, w.tally.expected)
	}
}

// Deliveries are checked byte by byte, against what was sent and to whom.
func TestMovesAreChecked(t *testing.T) {
	tests := []struct {
		name    string
		packets [][]byte
		want    tally
	}{
		{name: "in order", packets: [][]byte{moveOf(1, 0, 5, 40), moveOf(1, 1, 6, 40)}, want: tally{delivered: 2}},
		{name: "again", packets: [][]byte{moveOf(1, 0, 5, 40), moveOf(1, 0, 5, 40)}, want: tally{delivered: 1, duplicated: 1}},
		{name: "after a later one", packets: [][]byte{moveOf(1, 1, 5, 40), moveOf(1, 0, 5, 40)}, want: tally{delivered: 2, reordered: 1}},
		{name: "of two players in any order", packets: [][]byte{moveOf(2, 0, 5, 40), moveOf(1, 0, 5, 40)}, want: tally{delivered: 2}},
		{name: "its own", packets: [][]byte{moveOf(0, 0, 5, 40)}, want: tally{malformed: 1}},
		{name: "of another room", packets: [][]byte{moveOf(3, 0, 5, 40)}, want: tally{malformed: 1}},
		{name: "of nobody", packets: [][]byte{moveOf(999999, 0, 5, 40)}, want: tally{malformed: 1}},
		{name: "never made", packets: [][]byte{moveOf(1, 2, 5, 40)}, want: tally{malformed: 1}},
		{name: "of another size", packets: [][]byte{moveOf(1, 0, 5, 41)}, want: tally{malformed: 1}},
		{name: "wrong end", packets: [][]byte{[]byte(strings.Replace(string(moveOf(1, 0, 5, 40)), "x", "y", 1))}, want: tally{malformed: 1}},
		{name: "answer to nothing", packets: [][]byte{[]byte("3100000000[]")}, want: tally{malformed: 1}},
		{name: "empty", packets: [][]byte{{}}, want: tally{malformed: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, _ := gameRoom(t, 6)
			w.game.begin(gamePlan{Interval: 100, Until: 1000, Size: 40}, w, 0)
			for _, p := range w.game.players {
				w.game.move(p, 5)
				w.game.move(p, 6)
			}
			before := w.game.outstanding
			for _, packet := range tt.packets {
				w.game.received(w.subs[0], packet, 10)
			}
			got := w.tally
			if got.delivered != tt.want.delivered || got.duplicated != tt.want.duplicated ||
				got.reordered != tt.want.reordered || got.malformed != tt.want.malformed {
				t.Errorf("%d delivered, %d duplicated, %d reordered, %d malformed", got.delivered, got.duplicated, got.reordered, got.malformed)
			}
			if gone := before - w.game.outstanding; gone != int(tt.want.delivered) {
				t.Errorf("%d fewer are outstanding", gone)
			}
		})
	}
}

// What was on its way to a player that is lost stays missing, and is not waited for.
func TestLostPlayer(t *testing.T) {
	w, _ := gameRoom(t, 3)
	w.game.begin(gamePlan{Interval: 100, Until: 1000, Size: 40}, w, 0)
	w.game.move(w.game.players[1], 5)
	w.game.ping(w.game.players[0], 5)
	w.subs[0].fail(errTruncated)
	if w.game.outstanding != 1 || w.echo.outstanding != 0 || w.tally.expected != 3 {
		t.Errorf("%d outstanding, %d echoes, %d expected", w.game.outstanding, w.echo.outstanding, w.tally.expected)
	}
	w.game.move(w.game.players[1], 6) // only to the player that is left
	if w.game.outstanding != 2 {
		t.Errorf("%d outstanding", w.game.outstanding)
	}
}

func TestGameAllocates(t *testing.T) {
	w, peers := gameRoom(t, 3)
	w.game.begin(gamePlan{Interval: 100, Until: 1 << 60, Size: 40}, w, 0)
	buf := make([]byte, 4096)
	n := 0
	packet := moveOf(1, 0, 5, 40)
	allocs := testing.AllocsPerRun(1000, func() {
		w.game.move(w.game.players[1], 5)
		copy(packet, fmt.Appendf(buf[:0], `2["move","#%06d:%08d`, 1, n))
		n++
		w.game.received(w.subs[0], packet, 10)
		w.game.received(w.subs[2], packet, 10)
		drain(peers[1], buf)
	})
	if allocs > 1 || w.tally.malformed != 0 || w.tally.delivered != uint64(2*n) { // the test's own formatting is one
		t.Errorf("%v allocations per move, %d delivered of %d, %d malformed", allocs, w.tally.delivered, 2*n, w.tally.malformed)
	}
}

// Each fault of a game is told.
func TestGameFaults(t *testing.T) {
	at := func(what func(string) []string) func(int, string) []string {
		return func(n int, packet string) []string {
			if n != 20 {
				return []string{packet}
			}
			return what(packet)
		}
	}
	for name, tt := range map[string]struct {
		move func(int, string) []string
		want string
	}{
		"missing": {at(func(string) []string { return nil }), "1 missing, 0 duplicated, 0 reordered, 0 malformed"},
		"twice":   {at(func(p string) []string { return []string{p, p} }), "0 missing, 1 duplicated, 0 reordered, 0 malformed"},
		"wrong":   {at(func(p string) []string { return []string{p, strings.Replace(p, "xx", "xy", 1)} }), "1 malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := quick((&fakeServer{move: tt.move}).start(t), KindGame)
			cfg.Repeat, cfg.Members, cfg.Rate = 1, 4, 50
			result := measure(t, cfg)
			if result.OK || !slices.ContainsFunc(result.Problems, func(p string) bool { return strings.Contains(p, tt.want) }) {
				t.Errorf("problems %q", result.Problems)
			}
		})
	}
}
