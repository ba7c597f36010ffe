package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// topologyFormats are the settings with which each topology is tested.
var topologyFormats = []string{
	"adapter=classic", "adapter=classic&rooms=dynamic", "adapter=sharded", "adapter=sharded&mode=static",
	"adapter=sharded&mode=dynamic-private", "adapter=streams",
}

// exchange checks that messages to all and to many rooms go from one node to the other, once each, and that each node
// counts the other one. The publishing is repeated until the first message comes, because a broker that has just become
// complete may not know all subscriptions yet.
func exchange(t *testing.T, a, b *Adapter, inB brokertest.Inbox, rooms []string) {
	t.Helper()
	probe := fmt.Sprintf(`["probe",%d]`, time.Now().UnixNano())
	brokertest.Eventually(t, "a message comes", func() bool {
		_ = a.Publish(brokertest.Event(a, probe))
		select {
		case m := <-inB:
			return string(m.Data.JSON) == probe
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
	want := map[string]bool{}
	for _, room := range append([]string{""}, rooms...) {
		text, to := fmt.Sprintf(`["to",%q]`, room), []string{room}
		if room == "" {
			to = nil
		}
		want[text] = true
		if err := a.Publish(brokertest.Event(a, text, to...)); err != nil {
			t.Fatal(err)
		}
	}
	for len(want) > 0 {
		text := string(inB.Next(t).Data.JSON)
		switch {
		case strings.HasPrefix(text, `["probe"`):
		case !want[text]:
			t.Fatalf("%s came twice, or nobody sent it", text)
		default:
			delete(want, text)
		}
	}
	for _, x := range []*Adapter{a, b} {
		if p, err := x.Peers(t.Context(), "/"); p.Count != 1 || err != nil {
			t.Error(p, err)
		}
	}
}

// watchRooms makes a node have sockets in rooms, and returns these when it gets their messages.
func watchRooms(t *testing.T, a *Adapter) (rooms []string) {
	t.Helper()
	for i := range 40 {
		rooms = append(rooms, fmt.Sprint("room", i))
		a.RoomCreated("/", rooms[i])
	}
	awaitRooms(t, a, rooms)
	return rooms
}

func awaitRooms(t *testing.T, a *Adapter, rooms []string) {
	t.Helper()
	brokertest.Eventually(t, "the rooms are subscribed", func() bool {
		for _, room := range rooms {
			if a.RoomReady(t.Context(), "/", room) != nil {
				return false
			}
		}
		return true
	})
}

// TestRedisCluster shows that every format works on a Redis Cluster of three masters, whatever slots its rooms have,
// after its connections were cut, too.
func TestRedisCluster(t *testing.T) {
	servers := redistest.StartCluster(t, 3)
	for _, format := range topologyFormats {
		t.Run(format, func(t *testing.T) {
			cfg := Config{URL: servers[0].URL(format), Prefix: "io" + strconv.Itoa(len(t.Name()))}
			a, _ := newTestNode(t, cfg)
			b, inB := newTestNode(t, cfg)
			rooms := watchRooms(t, b)
			exchange(t, a, b, inB, rooms)
			outages := b.Stats().Outages
			for _, srv := range servers {
				srv.Do("CLIENT", "KILL", "TYPE", "pubsub")
			}
			for _, x := range []*Adapter{a, b} {
				brokertest.Eventually(t, "the loss is noticed", func() bool { return x.Stats().Outages > outages })
				brokertest.Ready(t, x)
			}
			awaitRooms(t, b, rooms)
			exchange(t, a, b, inB, rooms)
			for _, room := range rooms[1:] {
				b.RoomDeleted("/", room)
			}
			exchange(t, a, b, inB, rooms[:1])
		})
	}
}

// TestSlotMoves shows that the messages of a room go on when its slot moves to another server of the cluster.
func TestSlotMoves(t *testing.T) {
	servers := redistest.StartCluster(t, 3)
	cfg := Config{URL: servers[0].URL("adapter=sharded")}
	a, _ := newTestNode(t, cfg)
	b, inB := newTestNode(t, cfg)
	rooms := watchRooms(t, b)
	exchange(t, a, b, inB, rooms)
	slot, _, _ := strings.Cut(strings.TrimPrefix(servers[0].Do("CLUSTER", "KEYSLOT", "socket.io#/#room7#"), ":"), "\r")
	n, err := strconv.Atoi(slot)
	if err != nil {
		t.Fatal(slot)
	}
	from := n * 3 / 16384
	to := (from + 1) % 3
	_, id, _ := strings.Cut(servers[to].Do("CLUSTER", "MYID"), "\r\n")
	outages := b.Stats().Outages
	for _, i := range []int{to, from, (from + 2) % 3} {
		if got := servers[i].Do("CLUSTER", "SETSLOT", slot, "NODE", id); got != "+OK" {
			t.Fatal(got)
		}
	}
	brokertest.Eventually(t, "the move is noticed", func() bool { return b.Stats().Outages > outages })
	brokertest.Ready(t, b)
	awaitRooms(t, b, rooms)
	exchange(t, a, b, inB, rooms)
}

// TestSentinel shows that nodes find the new master after a failover.
func TestSentinel(t *testing.T) {
	formats := []string{"adapter=streams", "adapter=classic"}
	if os.Getenv("SIREN_SOAK") == "" {
		formats = formats[:1]
	}
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			master := redistest.Start(t)
			replica := redistest.StartReplica(t, master)
			sentinel := redistest.StartSentinel(t, "siren", master)
			cfg := Config{URL: sentinel.URL("master_set=siren&" + format)}
			a, _ := newTestNode(t, cfg)
			b, inB := newTestNode(t, cfg)
			exchange(t, a, b, inB, nil)
			master.Kill()
			for _, x := range []*Adapter{a, b} {
				brokertest.Eventually(t, "the loss is noticed", func() bool { return x.Health().State != cluster.Up })
			}
			replica.Await("it is the master", func() bool { return strings.Contains(replica.Do("INFO", "replication"), "role:master") })
			for _, x := range []*Adapter{a, b} {
				brokertest.Ready(t, x)
			}
			exchange(t, a, b, inB, nil)
		})
	}
}

// certificate makes a certificate of its own for 127.0.0.1, with files for redis-server.
func certificate(t *testing.T) (pool *x509.CertPool, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return pool, cert, key
}

// TestTLS shows that nodes meet over TLS, and that a server whose certificate nobody has signed is not spoken to.
func TestTLS(t *testing.T) {
	pool, cert, key := certificate(t)
	port := brokertest.FreePort(t)
	srv := redistest.Start(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	for _, format := range topologyFormats {
		t.Run(format, func(t *testing.T) {
			cfg := Config{
				URL:     fmt.Sprintf("rediss://127.0.0.1:%d?%s", port, format),
				Options: func(o *rueidis.ClientOption) { o.TLSConfig = &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"} },
			}
			a, _ := newTestNode(t, cfg)
			b, inB := newTestNode(t, cfg)
			exchange(t, a, b, inB, watchRooms(t, b))
		})
	}
	stranger, err := New(Config{URL: fmt.Sprintf("rediss://127.0.0.1:%d", port)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	brokertest.Eventually(t, "it does not connect", func() bool {
		h := stranger.Health()
		return h.State == cluster.Down && strings.Contains(h.Err.Error(), "certificate")
	})
	if srv.Subscribers("socket.io-request#/#") != 0 {
		t.Error("nobody of this is left")
	}
}
