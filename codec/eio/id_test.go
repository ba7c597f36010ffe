package eio

import (
	"bytes"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
)

var generators = []struct {
	name   string
	make   func(int) string
	length int
}{
	{"NewSID", NewSID, SIDLen},
	{"NewSocketID", NewSocketID, SocketIDLen},
}

// Ids are url-safe, a session id has at least 16 random bytes, and ShardOf returns the shard.
func TestIDForm(t *testing.T) {
	if sidRandom < 16 || SIDLen != 24 || SocketIDLen != 20 {
		t.Fatalf("sizes: %d random bytes, %d and %d characters", sidRandom, SIDLen, SocketIDLen)
	}
	for _, g := range generators {
		for shard := range MaxShards {
			id := g.make(shard)
			if len(id) != g.length {
				t.Fatalf("%s: %q has %d characters, want %d", g.name, id, len(id), g.length)
			}
			if _, err := base64.RawURLEncoding.Strict().DecodeString(id); err != nil {
				t.Fatalf("%s: %q: %v", g.name, id, err)
			}
			if got, ok := ShardOf([]byte(id)); !ok || got != shard {
				t.Fatalf("%s(%d) = %q: ShardOf %d %v", g.name, shard, id, got, ok)
			}
		}
		for _, shard := range []int{-1, MaxShards, 1 << 20} {
			if _, ok := ShardOf([]byte(g.make(shard))); !ok {
				t.Errorf("%s(%d): malformed", g.name, shard)
			}
		}
	}
}

// Ids do not repeat, and each random bit is set in about half of them. The bounds are more than twelve
// standard deviations away.
func TestIDsAreRandom(t *testing.T) {
	const ids = 4096
	for _, g := range generators {
		seen := make(map[string]bool, ids)
		ones := make([]int, g.length*6)
		for range ids {
			id := g.make(7)
			if seen[id] {
				t.Fatalf("%s: %q twice", g.name, id)
			}
			seen[id] = true
			raw, err := base64.RawURLEncoding.DecodeString(id)
			if err != nil {
				t.Fatal(err)
			}
			for i := range ones {
				ones[i] += int(raw[i/8] >> (i % 8) & 1)
			}
		}
		for i, n := range ones[:len(ones)-8] {
			if n < ids*2/5 || n > ids*3/5 {
				t.Errorf("%s: bit %d is set in %d of %d ids", g.name, i, n, ids)
			}
		}
	}
}

// Ids made concurrently by many goroutines share no random bytes.
func TestIDsConcurrent(t *testing.T) {
	const workers, each = 8, 2000
	var mu sync.Mutex
	seen := make(map[string]bool, workers*each*2)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			var ids []string
			for range each {
				ids = append(ids, NewSID(w)[:16], NewSocketID(w)[:16])
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				if seen[id] {
					t.Errorf("%q twice", id)
				}
				seen[id] = true
			}
		})
	}
	wg.Wait()
}

// Used bytes are cleared, and no byte is used twice.
func TestEntropyWipes(t *testing.T) {
	e := &entropy{used: entropyBatch}
	for round := range 200 {
		dst := make([]byte, 1+round%sidRandom)
		before, from := e.buf, e.used
		e.take(dst)
		if e.used < len(dst) || !bytes.Equal(e.buf[:e.used], make([]byte, e.used)) {
			t.Fatalf("round %d: handed out bytes are still there", round)
		}
		refilled := e.used == len(dst)
		if !refilled && (e.used != from+len(dst) || !bytes.Equal(dst, before[from:e.used])) {
			t.Fatalf("round %d: not the next bytes of the stock", round)
		}
	}
}

func TestShardOfMalformed(t *testing.T) {
	good := NewSID(3)
	bad := []string{
		"", "A", "__proto__", "undefined", good[:23], good + "A", good[:19], good[:21],
		strings.Repeat("A", 22), good[:23] + "=", good[:23] + "+", "/" + good[1:], good[:10] + " " + good[11:],
		good[:23] + "\x00", "\xff" + good[1:], strings.Repeat("é", 12), strings.Repeat("A", 1<<16),
	}
	for _, id := range bad {
		if shard, ok := ShardOf([]byte(id)); ok || shard != 0 {
			t.Errorf("%.40q: %d %v", id, shard, ok)
		}
	}
	if _, ok := ShardOf(nil); ok {
		t.Error("nil is an id")
	}
	for i := range len(good) { // one bad character anywhere
		id := []byte(good)
		id[i] = '.'
		if _, ok := ShardOf(id); ok {
			t.Errorf("%q", id)
		}
	}
}

func FuzzShardOf(f *testing.F) {
	for _, s := range []string{"", NewSID(0), NewSID(255), NewSocketID(9), strings.Repeat("_", 24), strings.Repeat("+", 24)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, id []byte) {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(string(id))
		wantOK := err == nil && (len(id) == SIDLen || len(id) == SocketIDLen) && !bytes.ContainsAny(id, "\r\n")
		shard, ok := ShardOf(id)
		if ok != wantOK {
			t.Fatalf("%q: ok %v, want %v", id, ok, wantOK)
		}
		if ok && shard != int(raw[len(raw)-1]) {
			t.Fatalf("%q: shard %d, want %d", id, shard, raw[len(raw)-1])
		}
	})
}
