package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// shards are the subscribed connections of a link to a Redis Cluster, one for each master: sharded channels are on the
// server that has their slot. Safe for concurrent use; Change is called by one goroutine at a time.
type shards struct {
	l *link // immutable

	mu sync.Mutex // guards what follows
	// slots has the masters by slots; nil before the first channel is subscribed.
	slots []slotRange
	// masters are those with a connection, by address.
	masters map[string]*master
	// channels has those that are subscribed.
	channels map[string]struct{}
}

// slotRange says that a master has the slots from first to last. Immutable.
type slotRange struct {
	first, last uint16
	address     string
}

// master is a connection to a server of the cluster. Immutable.
type master struct {
	client  rueidis.Client
	sub     rueidis.DedicatedClient
	release func()
	self    identity
}

var (
	errSlots = errors.New("redis: the cluster's slots are not known")
	errMoved = errors.New("redis: a channel's slot has moved to another server")
)

// clustered reports whether the broker is a Redis Cluster.
func (l *link) clustered() bool { return l.client.Mode() == rueidis.ClientModeCluster }

// change subscribes to channels, and ends other subscriptions. A slot that has moved is an error: the next link looks
// for the slots again.
func (s *shards) change(ctx context.Context, add, remove []string) error {
	if len(add)+len(remove) == 0 {
		return nil
	}
	if err := s.locate(ctx); err != nil {
		return err
	}
	s.note(add, remove)
	commands := map[*master][]rueidis.Completed{}
	for i, name := range append(append([]string(nil), add...), remove...) {
		cmd := s.l.client.B().Ssubscribe().Channel(name).Build()
		if i >= len(add) {
			cmd = s.l.client.B().Sunsubscribe().Channel(name).Build()
		}
		m, err := s.master(ctx, cmd.Slot())
		if err != nil {
			return err
		}
		commands[m] = append(commands[m], cmd)
	}
	for m, all := range commands {
		for _, r := range m.sub.DoMulti(ctx, all...) {
			if err := r.Error(); err != nil {
				return err
			}
		}
	}
	return nil
}

// note notes which channels are meant to be subscribed.
func (s *shards) note(add, remove []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range add {
		s.channels[name] = struct{}{}
	}
	for _, name := range remove {
		delete(s.channels, name)
	}
}

// locate asks the cluster for its slots, once.
func (s *shards) locate(ctx context.Context) error {
	s.mu.Lock()
	known := s.slots != nil
	s.mu.Unlock()
	if known {
		return nil
	}
	answer, err := s.l.client.Do(ctx, s.l.client.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		return err
	}
	var slots []slotRange
	for i := range answer {
		r, err := readSlots(&answer[i])
		if err != nil {
			return err
		}
		slots = append(slots, r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots, s.masters, s.channels = slots, map[string]*master{}, map[string]struct{}{}
	return nil
}

// readSlots reads [first, last, [host, port, …], …].
func readSlots(m *rueidis.RedisMessage) (r slotRange, err error) {
	row, err := m.ToArray()
	if err != nil || len(row) < 3 {
		return r, errSlots
	}
	first, err1 := row[0].AsInt64()
	last, err2 := row[1].AsInt64()
	server, err3 := row[2].ToArray()
	if err := errors.Join(err1, err2, err3); err != nil || len(server) < 2 || first < 0 || last > 1<<14 {
		return r, errSlots
	}
	host, err1 := server[0].ToString()
	port, err2 := server[1].AsInt64()
	if err1 != nil || err2 != nil {
		return r, errSlots
	}
	return slotRange{uint16(first), uint16(last), net.JoinHostPort(host, strconv.FormatInt(port, 10))}, nil
}

// master returns the connection for a slot, and makes it if there is none.
func (s *shards) master(ctx context.Context, slot uint16) (*master, error) {
	s.mu.Lock()
	address := ""
	for _, r := range s.slots {
		if r.first <= slot && slot <= r.last {
			address = r.address
		}
	}
	m := s.masters[address]
	s.mu.Unlock()
	if m != nil {
		return m, nil
	}
	client := s.l.client.Nodes()[address]
	if client == nil {
		return nil, fmt.Errorf("%w: %d", errSlots, slot)
	}
	m = &master{client: client}
	m.sub, m.release = client.Dedicate()
	lost := m.sub.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: s.l.deliver, OnSubscription: s.confirmed})
	go func() {
		err := <-lost
		if err == nil {
			err = broker.ErrEnded
		}
		s.l.Fail(err)
	}()
	info, err := m.sub.Do(ctx, m.sub.B().ClientInfo().Build()).ToString()
	if err != nil && !isReply(err) {
		m.end()
		return nil, err
	}
	m.self = identityOf(info)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.masters[address] = m
	return m, nil
}

// confirmed looks at what the broker says about subscriptions. It ends one by itself when the channel's slot moves.
func (s *shards) confirmed(x rueidis.PubSubSubscription) {
	if x.Kind != "sunsubscribe" {
		return
	}
	s.mu.Lock()
	_, meant := s.channels[x.Channel]
	s.mu.Unlock()
	if meant {
		s.l.Fail(errMoved)
	}
}

// evict makes the broker end the connections of a former link.
func (s *shards) evict(ctx context.Context, old *shards) error {
	old.mu.Lock()
	selves := map[string]identity{}
	for address, m := range old.masters {
		selves[address] = m.self
	}
	old.mu.Unlock()
	nodes := s.l.client.Nodes()
	for address, self := range selves {
		if client := nodes[address]; client != nil {
			if err := evict(ctx, client, self); err != nil {
				return err
			}
		}
	}
	return nil
}

// close ends the connections.
func (s *shards) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.masters {
		m.end()
	}
}

func (m *master) end() {
	m.sub.Close()
	m.release()
}
