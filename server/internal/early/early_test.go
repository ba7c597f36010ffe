package early

import (
	"bytes"
	"testing"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/poller/pollertest"
)

type owner struct{ evicted int }

func (o *owner) Evict() { o.evicted++ }

// TestPackets shows that packets keep their order, and that many of them are in the ledger until they are taken.
func TestPackets(t *testing.T) {
	o := new(owner)
	for _, budget := range []bool{true, false} {
		l := pollertest.NewLoop(0)
		if budget {
			memory.NewBudget(1<<30, nil).Join(l.Memory(), func(fn func()) { fn() })
		}
		p := New(l.Memory(), o)
		var want []*eio.Frame
		for n := 0; n < 3*memory.ListMin; n = p.Bytes() {
			f := eio.NewText(bytes.Repeat([]byte("x"), memory.ListMin/3))
			p.Add(f)
			want = append(want, f)
			if listed := budget && p.Bytes() >= memory.ListMin; (l.Memory().Held() > 0) != listed || (p.Held() > 0) != listed {
				t.Fatalf("%d bytes: %d in the ledger, %d held", p.Bytes(), l.Memory().Held(), p.Held())
			}
		}
		p.Evict()
		got := p.Take()
		if len(got) != len(want) || l.Memory().Held() != 0 || l.Memory().Listed() != 0 {
			t.Errorf("%d packets, %d bytes in the ledger", len(got), l.Memory().Held())
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("packet %d is another one", i)
			}
		}
	}
	if o.evicted != 2 {
		t.Error(o.evicted)
	}
	if (*Packets)(nil).Take() != nil {
		t.Error("nil has packets")
	}
}
