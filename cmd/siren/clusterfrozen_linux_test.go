package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// frozenRun is a node that emits at a rate, while its broker is frozen for a part of that time or not at all.
type frozenRun struct {
	rate   int
	lasts  time.Duration
	freeze time.Duration
}

// frozenOutcome is what the clients got: one of the node that emits, and one of another node.
type frozenOutcome struct {
	count         int
	local, remote clusterClient
	stats         cluster.Stats
	// caughtUp is the number of the message that was due a second after the broker went on.
	caughtUp int
	// peak is the most memory that the node that emits had, in MiB.
	peak int
}

// run freezes the broker a fifth of the run after its beginning.
func (r frozenRun) run(t *testing.T, redis *redistest.Server) (out frozenOutcome) {
	t.Helper()
	out.count = int(r.lasts.Seconds() * float64(r.rate))
	c := clusterBench{broker: redis.URL(""), node: []string{os.Args[0], "bench", clusterNodeCommand, "--broker"}}
	var nodes [2]*clusterNode
	var clients [2]*clusterClient
	for i := range nodes {
		n, err := c.startNode(t.Context(), c.broker)
		if err != nil {
			t.Fatal(err)
		}
		defer n.end()
		x, err := dialCluster(t.Context(), n.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer x.conn.Close()
		nodes[i], clients[i] = n, x
	}
	clients[1].lossy = true
	var all sync.WaitGroup
	for _, x := range clients {
		all.Go(func() { x.take(out.count) })
	}
	began := time.Now()
	if r.freeze > 0 {
		all.Go(func() {
			time.Sleep(r.lasts / 5)
			redis.Freeze()
			time.Sleep(r.freeze)
			redis.Thaw()
			out.caughtUp = int((time.Since(began) + time.Second).Seconds() * float64(r.rate))
		})
	}
	report, err := nodes[0].order(clusterOrder{Count: out.count, Size: 200, Rate: float64(r.rate)})
	if err != nil {
		t.Fatal(err)
	}
	all.Wait()
	out.local, out.remote, out.stats, out.peak = *clients[0], *clients[1], report.Stats, peakMemory(t, nodes[0].pid)
	return out
}

// peakMemory returns the most memory that a process had so far, in MiB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	kib := 0
	if _, scan := fmt.Sscan(rest, &kib); err != nil || !ok || scan != nil {
		t.Fatal(err, scan)
	}
	return kib >> 10
}

// While its broker is frozen, a node serves its own clients as before: each message, in order. What the other nodes miss
// is counted, and it is nothing of what is emitted from a second after the broker goes on. SIREN_SOAK=n makes it n/2 pairs
// of 50,000 messages a second with and without ten seconds of frost, and compares the lag of the node's own client.
func TestFrozenBrokerHarmsNoLocalClient(t *testing.T) {
	redis := redistest.Start(t)
	t.Setenv(commandEnv, "1") // for the processes of the nodes
	r, pairs := frozenRun{rate: 2000, lasts: 3 * time.Second, freeze: time.Second}, 1
	if netns.Soaking() {
		r, pairs = frozenRun{rate: 50_000, lasts: 15 * time.Second, freeze: 10 * time.Second}, max(1, netns.Soak()/2)
	}
	const grownMax = 128 // MiB: what waits for the broker is bounded by 64 MiB, and the collector may let it double
	var ratios []float64
	for range pairs {
		still := frozenRun{rate: r.rate, lasts: r.lasts}.run(t, redis)
		frozen := r.run(t, redis)
		for _, out := range []frozenOutcome{still, frozen} {
			dropped := int(out.stats.DroppedFull + out.stats.DroppedDown + out.stats.DroppedUnknown)
			if out.local.got != out.count || out.local.disorder != 0 {
				t.Errorf("the node's own client got %d of %d, %d out of order", out.local.got, out.count, out.local.disorder)
			}
			if out.remote.got+dropped != out.count || out.remote.disorder != 0 {
				t.Errorf("the other client got %d of %d, %d out of order; %d are counted as dropped: %+v", out.remote.got, out.count,
					out.remote.disorder, dropped, out.stats)
			}
		}
		if frozen.caughtUp < frozen.count && frozen.remote.gap >= frozen.caughtUp {
			t.Errorf("message %d did not reach the other node, and the broker had been back for a second at %d", frozen.remote.gap, frozen.caughtUp)
		}
		before, with := still.local.lags.ValueAtQuantile(99), frozen.local.lags.ValueAtQuantile(99)
		ratios = append(ratios, float64(with)/float64(before))
		t.Logf("lag of the node's own client, p99: %d µs, with the frost %d µs; memory %d MiB and %d MiB; %d dropped", before, with,
			still.peak, frozen.peak, frozen.count-frozen.remote.got)
		if grown := frozen.peak - still.peak; grown > grownMax {
			t.Errorf("the node took %d MiB more with the frost", grown)
		}
	}
	if slices.Sort(ratios); netns.Soaking() && ratios[len(ratios)/2] > 1.3 {
		t.Errorf("p99 of the lag with the frost, in proportion: %.2f", ratios)
	}
}
