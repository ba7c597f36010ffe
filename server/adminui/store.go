package adminui

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Store keeps the ids of sessions: whoever has one need not give the password again. A store that several nodes share
// lets people sign in once for all of them. Safe for concurrent use.
type Store interface {
	// Exists reports whether an id was saved, and is still valid.
	Exists(ctx context.Context, id string) (bool, error)
	// Save keeps an id.
	Save(ctx context.Context, id string) error
}

// sessionsMax is the number of sessions that a memoryStore keeps. The oldest one goes.
const sessionsMax = 1_000

// memoryStore is a Store in memory. Safe for concurrent use.
type memoryStore struct {
	ttl time.Duration
	now func() time.Time

	mu   sync.Mutex
	byID map[string]*list.Element // guarded by mu, as is order
	// order has the sessions, the oldest first.
	order list.List
}

type session struct {
	id  string
	end time.Time
}

func newMemoryStore(ttl time.Duration) *memoryStore {
	return &memoryStore{ttl: ttl, now: time.Now, byID: map[string]*list.Element{}}
}

// Exists implements Store.
func (m *memoryStore) Exists(_ context.Context, id string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	return m.byID[id] != nil, nil
}

// Save implements Store.
func (m *memoryStore) Save(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	for m.order.Len() >= sessionsMax {
		m.forget(m.order.Front())
	}
	m.byID[id] = m.order.PushBack(session{id, m.now().Add(m.ttl)})
	return nil
}

// expire forgets sessions that have ended. All have the same length, so these are the oldest ones.
func (m *memoryStore) expire() {
	for e := m.order.Front(); e != nil && !m.now().Before(e.Value.(session).end); e = m.order.Front() {
		m.forget(e)
	}
}

func (m *memoryStore) forget(e *list.Element) { delete(m.byID, m.order.Remove(e).(session).id) }
