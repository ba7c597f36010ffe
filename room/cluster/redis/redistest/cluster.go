package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
)

// slotCount is the number of slots of a Redis Cluster.
const slotCount = 16384

// StartCluster runs a Redis Cluster of that many masters, with equal shares of the slots.
func StartCluster(t testing.TB, masters int) []*Server {
	t.Helper()
	all := make([]*Server, masters)
	for i := range all {
		all[i] = Start(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(brokertest.FreePort(t)), "--cluster-node-timeout", "2000")
		first, last := i*slotCount/masters, (i+1)*slotCount/masters-1
		all[i].must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
	}
	for _, s := range all[1:] {
		s.must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(all[0].port), all[0].arg("--cluster-port"))
	}
	for _, s := range all {
		s.Await("the cluster is complete", func() bool {
			return strings.Contains(s.Do("CLUSTER", "INFO"), "cluster_state:ok") &&
				strings.Contains(s.Do("CLUSTER", "INFO"), "cluster_known_nodes:"+strconv.Itoa(masters))
		})
	}
	return all
}

// StartReplica runs a replica of a server, and waits until it has its data.
func StartReplica(t testing.TB, of *Server) *Server {
	t.Helper()
	s := Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(of.port))
	s.Await("the replica follows", func() bool { return strings.Contains(s.Do("INFO", "replication"), "master_link_status:up") })
	return s
}

// StartSentinel runs a Sentinel that watches a master of that name alone, and makes a replica the master one second
// after it does not answer.
func StartSentinel(t testing.TB, name string, master *Server) *Server {
	t.Helper()
	s := &Server{Process: brokertest.NewProcess(t), t: t, port: brokertest.FreePort(t), config: filepath.Join(t.TempDir(), "sentinel.conf")}
	if err := os.WriteFile(s.config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	s.must("SENTINEL", "MONITOR", name, "127.0.0.1", strconv.Itoa(master.port), "1")
	s.must("SENTINEL", "SET", name, "down-after-milliseconds", "1000", "failover-timeout", "5000")
	s.Await("the Sentinel knows the replica", func() bool { return strings.Contains(s.Do("SENTINEL", "REPLICAS", name), "slave") })
	return s
}

// must sends a command, which has to be answered with OK.
func (s *Server) must(words ...string) {
	s.t.Helper()
	if got := s.Do(words...); got != "+OK" {
		s.t.Fatalf("%v: %s", words, got)
	}
}

// Await waits until something holds.
func (s *Server) Await(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("port %d: %s: not in time\n%s", s.port, what, s.Do("INFO"))
		}
	}
}

// arg returns the value of one of the arguments.
func (s *Server) arg(name string) string {
	for i, a := range s.args {
		if a == name {
			return s.args[i+1]
		}
	}
	panic(fmt.Sprintf("no argument %s", name))
}
