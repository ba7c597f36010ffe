package sim

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Names of runtime/metrics.
const (
	metricObjects   = "/memory/classes/heap/objects:bytes"
	metricCount     = "/gc/heap/objects:objects"
	metricAllocated = "/gc/heap/allocs:bytes"
	metricCycles    = "/gc/cycles/total:gc-cycles"
	metricPauses    = "/sched/pauses/total/gc:seconds"
	metricCollector = "/cpu/classes/gc/total:cpu-seconds"
	metricIdleMark  = "/cpu/classes/gc/mark/idle:cpu-seconds"
)

// number reads one metric that is a number; 0 when this Go does not have it.
func number(name string) float64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	switch s[0].Value.Kind() {
	case metrics.KindUint64:
		return float64(s[0].Value.Uint64())
	case metrics.KindFloat64:
		return s[0].Value.Float64()
	}
	return 0
}

// collectorCPU returns the processor time of the collector as of its latest cycle, without what it did on idle
// processors.
func collectorCPU() time.Duration {
	return time.Duration((number(metricCollector) - number(metricIdleMark)) * float64(time.Second))
}

// heap is what lives after a collection.
type heap struct {
	bytes, objects, resident float64
	// collection is what the collection took: of the memory that is given here, and of little else.
	collection cost
}

// liveHeap collects twice: what had a finalizer or was in a pool is gone after the second time.
func liveHeap() heap {
	runtime.GC()
	cpu, begin := processCPU(), time.Now()
	runtime.GC()
	took := cost{process: processCPU() - cpu, wall: time.Since(begin)}
	return heap{
		bytes: number(metricObjects), objects: number(metricCount), resident: float64(resident()), collection: took,
	}
}

// shrunk returns the resident memory after all that is free went back to the system.
func shrunk() float64 {
	debug.FreeOSMemory()
	return float64(resident())
}

// pauses are those that the collector made. A plain value.
type pauses struct {
	bounds []float64
	counts []uint64
}

// readPauses returns the pauses since the start of the process.
func readPauses() pauses {
	s := []metrics.Sample{{Name: metricPauses}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return pauses{}
	}
	h := s[0].Value.Float64Histogram()
	return pauses{bounds: h.Buckets, counts: h.Counts}
}

// since takes away those that were before.
func (p pauses) since(before pauses) pauses {
	counts := append([]uint64(nil), p.counts...)
	for i := range min(len(counts), len(before.counts)) {
		counts[i] -= before.counts[i]
	}
	return pauses{bounds: p.bounds, counts: counts}
}

// count returns the number of pauses.
func (p pauses) count() (n uint64) {
	for _, c := range p.counts {
		n += c
	}
	return n
}

// quantile returns the upper bound of the bucket that has it, in microseconds; 0 when there were no pauses.
func (p pauses) quantile(q float64) float64 {
	need := uint64(math.Ceil(q * float64(p.count())))
	var seen uint64
	for i, c := range p.counts {
		seen += c
		if c == 0 || seen < need {
			continue
		}
		bound := p.bounds[i+1]
		if math.IsInf(bound, 1) {
			bound = p.bounds[i]
		}
		return bound * 1e6
	}
	return 0
}
