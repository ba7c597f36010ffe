package api

import (
	"cmp"
	"context"
	"maps"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed58c87869/siren/server"
)

// topRooms is how many rooms stats tells, topEvery how often they are looked for: that looks at all rooms.
const (
	topRooms = 10
	topEvery = 5 * time.Second
)

// started is when the process began, or about.
var started = time.Now()

// stats is the call stats.
func (a *API) stats(x *exchange) error {
	ctx, cancel := context.WithTimeout(x.ctx, probeTime)
	defer cancel()
	now := time.Now()
	loops := a.cfg.Server.LoopStats(ctx)
	whole := a.cfg.Server.Stats()
	b := appendString(append(x.out, `{"version":`...), a.cfg.Version)
	b = appendString(append(b, `,"go":`...), runtime.Version())
	b = appendString(append(b, `,"node":`...), a.cfg.Node)
	b = started.UTC().AppendFormat(append(b, `,"started_at":"`...), timeFormat)
	b = appendFloat(append(b, `","uptime_seconds":`...), time.Since(started).Seconds())
	b = appendBool(append(b, `,"draining":`...), a.cfg.Draining())
	b = appendConnections(b, loops)
	b = a.appendNamespaces(b)
	b = a.appendRates(b, newSample(loops, now))
	b = appendCounts(append(b, `,"dropped":`...), merge(whole.DroppedBy(), a.cfg.Dropped))
	b = appendCounts(append(b, `,"refused":`...), merge(whole.RefusedBy(), a.cfg.Refused))
	b = appendLoops(b, loops)
	b = appendInt(append(b, `,"memory_bytes":`...), memoryBytes())
	b = a.appendTop(b, now)
	if x.history {
		b = a.history.appendRows(b)
	}
	x.out = append(b, '}')
	return nil
}

func appendFloat(dst []byte, f float64) []byte { return strconv.AppendFloat(dst, f, 'f', 3, 64) }

func appendConnections(dst []byte, loops []server.LoopStats) []byte {
	ws, polling := 0, 0
	for i := range loops {
		ws += loops[i].WebSockets
		polling += loops[i].Polling
	}
	dst = appendInt(append(dst, `,"connections":{"websocket":`...), ws)
	return append(appendInt(append(dst, `,"polling":`...), polling), '}')
}

// dynamicLabel stands for all namespaces that clients have named.
const dynamicLabel = "dynamic"

// appendNamespaces appends the numbers of sockets and rooms of each namespace.
func (a *API) appendNamespaces(dst []byte) []byte {
	sockets, rooms := map[string]uint64{}, map[string]uint64{}
	for _, ns := range a.cfg.Server.Namespaces() {
		name := ns.Name()
		if ns.IsChild() {
			name = dynamicLabel
		}
		sockets[name] += uint64(ns.SocketCount())
		rooms[name] += uint64(ns.RoomTotal())
	}
	dst = appendCounts(append(dst, `,"sockets":`...), sockets)
	return appendCounts(append(dst, `,"rooms":`...), rooms)
}

// appendCounts appends an object of numbers, in the order of their names.
func appendCounts(dst []byte, counts map[string]uint64) []byte {
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		dst = strconv.AppendUint(dst, counts[name], 10)
	}
	return append(dst, '}')
}

func merge(counts map[string]uint64, more func() map[string]uint64) map[string]uint64 {
	if more != nil {
		for name, n := range more() {
			counts[name] += n
		}
	}
	return counts
}

// appendRates appends what happened each second, over each of the windows.
func (a *API) appendRates(dst []byte, now sample) []byte {
	dst = append(dst, `,"rates":{`...)
	for i, w := range windows {
		if i > 0 {
			dst = append(dst, ',')
		}
		then, ok := a.history.since(now.at, w.width)
		if !ok {
			then = now
		}
		dst = append(appendString(dst, w.name), ':', '{')
		for j, s := range series {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = appendFloat(append(appendString(dst, s.name), ':'), perSecond(s.of, &then, &now))
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendSeconds appends a short time, to the microsecond.
func appendSeconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, d.Seconds(), 'f', 6, 64)
}

func appendLoops(dst []byte, loops []server.LoopStats) []byte {
	dst = append(dst, `,"loops":[`...)
	for i := range loops {
		l := &loops[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendInt(append(dst, `{"loop":`...), l.Loop)
		dst = appendSeconds(append(dst, `,"lag_seconds":`...), l.Lag)
		dst = appendInt(append(dst, `,"mailbox":`...), l.Mailbox)
		dst = append(appendInt(append(dst, `,"connections":`...), l.Conns), '}')
	}
	return append(dst, ']')
}

// memoryBytes is the memory that the process has: as the system counts it, or as Go does where that is not told.
func memoryBytes() int {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			if pages, err := strconv.Atoi(fields[1]); err == nil {
				return pages * os.Getpagesize()
			}
		}
	}
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(samples)
	if samples[0].Value.Kind() == metrics.KindUint64 {
		return int(samples[0].Value.Uint64())
	}
	return 0
}

// top keeps the largest rooms for a while. Safe for concurrent use.
type top struct {
	mu    sync.Mutex
	at    time.Time // guarded by mu, as rooms
	rooms []topRoom
}

type topRoom struct {
	namespace string
	server.RoomInfo
}

// appendTop appends the largest rooms. One caller looks for them at a time.
func (a *API) appendTop(dst []byte, now time.Time) []byte {
	t := &a.top
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at.IsZero() || now.Sub(t.at) >= topEvery || len(t.rooms) < topRooms {
		t.rooms, t.at = t.rooms[:0], now
		for _, ns := range a.cfg.Server.Namespaces() {
			for _, r := range ns.TopRooms(topRooms) {
				t.rooms = append(t.rooms, topRoom{ns.Name(), r})
			}
		}
		slices.SortStableFunc(t.rooms, func(a, b topRoom) int { return cmp.Compare(b.Sockets, a.Sockets) })
		t.rooms = t.rooms[:min(len(t.rooms), topRooms)]
	}
	dst = append(dst, `,"top_rooms":[`...)
	for i, r := range t.rooms {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"namespace":`...), r.namespace)
		dst = appendString(append(dst, `,"name":`...), r.Name)
		dst = append(appendInt(append(dst, `,"sockets":`...), r.Sockets), '}')
	}
	return append(dst, ']')
}
