package adminui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// A UI sees the sockets of other nodes, and its commands reach them. A node without a UI works for those of other
// nodes.
func TestCluster(t *testing.T) {
	bus := cluster.NewBus()
	one, two := startNode(t, bus, "one"), startNode(t, bus, "two")
	client := two.Connect("/", nil)
	score.Set(client.Socket(), map[string]any{"name": "bob"})
	var admin *servertest.Client
	two.during(func() { admin = one.Connect("/admin", nil) })
	if list := await(t, admin, two, "all_sockets"); !strings.Contains(list, client.ID()) || !strings.Contains(list, `"data":{"user":{"name":"bob"}}`) {
		t.Errorf("the list is %s", list)
	}
	for range elsewhereTicks {
		one.during(two.tick)
	}
	if !two.ui.feed.on {
		t.Fatal("the other node does not work for the UI")
	}
	var second *servertest.Client
	one.during(func() { second = two.Connect("/", nil) })
	for range 2 {
		one.during(two.tick)
	}
	events := admin.Events()
	if told := find(events, "socket_connected"); !strings.Contains(told, second.ID()) {
		t.Errorf("told %s", told)
	}
	if stats := find(events, "server_stats"); !strings.Contains(stats, `"serverId":"two"`) {
		t.Errorf("the numbers are %s", stats)
	}
	// The other node tells of its clients what a list needs.
	var again *servertest.Client
	two.during(func() { again = one.Connect("/admin", nil) })
	list := await(t, again, two, "all_sockets")
	if about := fmt.Sprintf(`"clientId":%q`, second.Socket().ClientID()); !strings.Contains(list, about) || strings.Contains(list, "_admin") {
		t.Errorf("no %s in %s", about, list)
	}
	two.during(func() { admin.Emit("_disconnect", "/", false, client.ID()) })
	two.Settle()
	if client.Connected() || !second.Connected() {
		t.Error("the command has not reached the other node")
	}
	two.during(func() { admin.Disconnect(); again.Disconnect() })
	for range elsewhereTicks {
		one.during(two.tick)
	}
	if two.ui.feed.on {
		t.Error("the other node goes on without a UI")
	}
}

// await returns the arguments of an event, which a UI gets when another node has answered.
func await(t *testing.T, c *servertest.Client, other *kit, name string) string {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		other.Settle()
		if args := find(c.Events(), name); args != "" {
			return args
		}
	}
	t.Fatalf("no %s came", name)
	return ""
}

func startNode(t *testing.T, bus *cluster.Bus, name string) *kit {
	t.Helper()
	ts := servertest.New(t, server.Config{}, server.WithAdapter(bus.Node(name)))
	ui, err := Instrument(ts.Server, Options{Anonymous: true, Mode: Development, ServerID: name, manual: true})
	must(t, err)
	t.Cleanup(ui.Close)
	ts.Of("/")
	return &kit{ts, t, ui}
}
