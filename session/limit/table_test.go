package limit

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// Clients of IPv6 count by their /64, those of IPv4 by their address, in whatever form that is shown.
func TestAddress(t *testing.T) {
	for _, same := range [][2]string{
		{"192.0.2.1", "::ffff:192.0.2.1"}, {"192.0.2.1", "64:ff9b::192.0.2.1"}, {"2001:db8::1", "2001:db8::ffff:1:2:3"},
		{"fe80::1%eth0", "fe80::2%eth1"}, {"::1", "::2"},
	} {
		if a, b := Of(netip.MustParseAddr(same[0])), Of(netip.MustParseAddr(same[1])); a != b || a == 0 {
			t.Errorf("%v: %x and %x", same, a, b)
		}
	}
	seen := map[Address]string{0: "no address"}
	for _, text := range []string{
		"0.0.0.0", "0.0.0.1", "127.0.0.1", "255.255.255.255", "192.0.2.1", "192.0.2.2", "::1", "2001:db8::", "2001:db8:0:1::",
		"64:ff9b::192.0.2.3", "64:ff9b:1::192.0.2.3", "fe80::", "ff02::1",
	} {
		a := Of(netip.MustParseAddr(text))
		if other := seen[a]; other != "" {
			t.Errorf("%s counts as %s", text, other)
		}
		seen[a] = text
	}
	if Of(netip.Addr{}) != 0 {
		t.Error("a unix socket has an address")
	}
}

// FuzzTable compares a table with maps.
func FuzzTable(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		random := rand.New(rand.NewPCG(a, b))
		table := NewTable()
		sessions, barred := map[Address]int{}, map[Address]int64{}
		now := second
		for range 2000 {
			addr := Address(1 + random.IntN(40))
			now += random.Int64N(second / 100)
			switch random.IntN(4) {
			case 0:
				if ok := table.Enter(addr, 5); ok != (sessions[addr] < 5) {
					t.Fatalf("%d sessions, another one: %v", sessions[addr], ok)
				} else if ok {
					sessions[addr]++
				}
			case 1:
				if sessions[addr] > 0 {
					table.Leave(addr)
					sessions[addr]--
				}
			case 2:
				barred[addr] = now + random.Int64N(second)
				table.Bar(addr, now, barred[addr])
			case 3:
				if got, want := table.Barred(addr, now), time.Duration(max(barred[addr]-now, 0)); got != want {
					t.Fatalf("barred for %v, not %v", got, want)
				}
			}
			if n := table.Sessions(addr); n != sessions[addr] {
				t.Fatalf("%d sessions, not %d", n, sessions[addr])
			}
		}
		for addr := range barred {
			table.Barred(addr, now+second)
		}
		if table.AnyBarred() {
			t.Error("some are barred for ever")
		}
	})
}

// size is the number of entries of the table.
func (t *Table) size() (sessions, peak, barred int) {
	for i := range t.stripes {
		s := &t.stripes[i]
		sessions, peak, barred = sessions+len(s.sessions), peak+s.peak, barred+len(s.barred)
	}
	return sessions, peak, barred
}

// An attacker with any number of networks fills the table only up to its bound. Then those are let in that were barred
// first, and nothing is left behind.
func TestTableIsBounded(t *testing.T) {
	const attacker = BarredMax + BarredMax/8
	table := NewTable()
	for i := range Address(attacker) {
		table.Bar(i+1, int64(i), int64(i)+second)
	}
	_, _, barred := table.size()
	if barred > BarredMax || barred < BarredMax/2 || int64(barred) != table.barred.Load() {
		t.Errorf("%d addresses are barred, counted as %d", barred, table.barred.Load())
	}
	last := Address(attacker)
	if table.Barred(last, int64(last)) == 0 || table.Barred(1, 0) > 0 {
		t.Error("the latest one is let in, or the first one is not")
	}
	table.Bar(last+1, 100*second, 101*second)
	for i := range 2 * last {
		table.Barred(i, 200*second)
	}
	if table.AnyBarred() {
		t.Errorf("%d are barred for ever", table.barred.Load())
	}
}

// The table gives back its memory when the sessions have gone.
func TestTableShrinks(t *testing.T) {
	const most = 100_000
	table := NewTable()
	for i := range Address(most) {
		table.Enter(i+1, 1)
	}
	for i := range Address(most) {
		table.Leave(i + 1)
	}
	if sessions, peak, _ := table.size(); sessions != 0 || peak > stripes*shrinkMin {
		t.Errorf("%d addresses with sessions, and room for %d", sessions, peak)
	}
}

// Many loops use the table at once.
func TestTableConcurrent(t *testing.T) {
	table := NewTable()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 2000 {
				a := Address(1 + i%50)
				if table.Enter(a, 3) {
					table.Bar(a, 0, second)
					table.Barred(a, int64(i%2)*2*second)
					table.Leave(a)
				}
			}
		})
	}
	all.Wait()
	if sessions, _, barred := table.size(); sessions > 0 || int64(barred) != table.barred.Load() {
		t.Errorf("%d with sessions; %d barred, counted as %d", sessions, barred, table.barred.Load())
	}
}
