package listeners

import "testing"

// TestTable shows that listeners keep their order, that removing one leaves the others, and that a list that was got
// before does not change.
func TestTable(t *testing.T) {
	var table Table[func() int]
	add := func(name string, n int) func() { return table.Add(name, func() int { return n }) }
	call := func(list []*func() int) (got int) {
		for _, fn := range list {
			got = 10*got + (*fn)()
		}
		return got
	}
	add("a", 1)
	remove := add("a", 2)
	add("a", 3)
	last := add("b", 4)
	before := table.Of("a")
	remove()
	remove()
	if call(before) != 123 || call(table.Of("a")) != 13 || call(table.Of("b")) != 4 || table.Of("c") != nil {
		t.Error(call(before), call(table.Of("a")), call(table.Of("b")))
	}
	if last(); table.Of("b") != nil || len(table.all) != 1 {
		t.Error("an empty list is kept")
	}
}
