package profile

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/bench/client"
)

// When this generator is taken for the bottleneck.
const (
	cpuBottleneck = 0.9                   // share of the processors that this process may use
	lagBottleneck = 10 * time.Millisecond // 99th percentile of how late it runs what is due
	lagShare      = 0.5                   // of the latency's 99th percentile, from which on most of it may be ours
)

// reading is what was measured around the run.
type reading struct {
	before, after bench.Usage
	length        time.Duration
	peak          int64 // memory of the server
	known         bool  // the server's processes are known
	interrupted   bool  // the stages did not take their time, and nothing was waited for
}

// scenario describes the run for the result.
func (r *run) scenario() bench.Scenario {
	transport := bench.Transport(r.p.options.Transport)
	s := bench.Scenario{
		Name: bench.KindProfile, URL: r.p.Target, Transport: transport, Subscribers: r.p.most(), Repeat: 1, Workers: 1,
		Seconds: r.p.length().Seconds(), Profile: r.p.name, Namespace: r.p.Connect.Namespace,
	}
	if r.p.Publish != nil {
		s.Rate = int(r.p.Publish.Rate)
	}
	return s
}

// sums are the counts of a run.
type sums struct {
	values    map[string]float64
	delivered float64
	cpu       float64 // share of the processors that this process used
	bound     bool    // this process was the bottleneck
}

// report fills the result.
func (r *run) report(result *bench.Result, m reading) {
	r.second(m.length)
	s := r.count(m)
	r.faults(result)
	r.mu.Lock()
	if r.sessions+r.connectFailed > 0 {
		result.Connects = append(result.Connects, bench.Connect{
			Connected: r.sessions, Failed: r.connectFailed, Lost: r.lostSessions, Seconds: r.connectedAt.Seconds(), Failures: r.failures,
		})
	}
	r.mu.Unlock()
	r.metrics(result, s, m)
	result.Curves = r.curves()
	for _, t := range r.p.conditions() {
		value, have := r.figure(t, s)
		result.Thresholds = append(result.Thresholds, t.judge(value, have))
	}
	rounds := 1
	if result.Partial != "" {
		rounds = 0
	}
	result.Finish(rounds)
}

// count adds up what the users saw.
func (r *run) count(m reading) sums {
	s := sums{values: make(map[string]float64)}
	for _, name := range counts {
		s.values[name] = 0
	}
	for _, shard := range r.shards {
		shard.mu.Lock()
		s.values[countDelivered] += float64(shard.delivered)
		s.values[countDuplicated] += float64(shard.duplicate)
		s.values[countReordered] += float64(shard.reordered)
		s.values[countMalformed] += float64(shard.malformed)
		shard.mu.Unlock()
	}
	for _, u := range r.users {
		u.mu.Lock()
		if !m.interrupted { // else they were on their way
			s.values[countMissing] += float64(u.missing(int(^uint(0) >> 1)))
		}
		u.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.values[countConnect] = float64(r.connectFailed)
	s.values[countLost] = float64(r.lostSessions)
	s.values[countPublish] = float64(r.publishFailed)
	if !m.interrupted {
		s.values[countUnanswered] = float64(max(r.answers.Load(), 0))
	}
	s.values[countPublished] = float64(r.published.Load())
	s.values[countUsers] = float64(r.sessions)
	seconds := min(m.length, r.p.length()).Seconds()
	s.delivered = s.values[countDelivered]
	s.values[countRate] = s.delivered / seconds
	s.values[countPublishRate] = s.values[countPublished] / seconds
	s.cpu = (m.after.Client - m.before.Client).Seconds() / m.length.Seconds() / float64(runtime.GOMAXPROCS(0))
	s.values[countCPU] = s.cpu
	lag := r.lag.at(99)
	latency := r.main().at(99)
	s.bound = s.cpu > cpuBottleneck || lag > float64(lagBottleneck.Microseconds()) && lag > lagShare*latency
	return s
}

// main returns the distribution that a percentile without a name is of.
func (r *run) main() *spread {
	if r.p.Expect != nil {
		return &r.times.delivery
	}
	return &r.times.answer
}

// figure returns the value that a threshold is about.
func (r *run) figure(t Threshold, s sums) (value float64, have bool) {
	if value, have = s.values[t.figure]; have {
		return value, true
	}
	of, stat := t.split()
	d := map[string]*spread{
		"": r.main(), ofConnect: &r.connect, ofJoin: &r.join, ofAnswer: &r.times.answer,
		ofDelivery: &r.times.delivery, ofLag: &r.lag,
	}[of]
	if d.count() == 0 {
		return 0, false
	}
	switch stat {
	case "avg":
		return d.avg(), true
	case "min":
		return d.at(0), true
	case "med":
		return d.at(50), true
	case "max":
		return d.at(100), true
	}
	p, err := strconv.ParseFloat(percentile.FindStringSubmatch(stat)[1], 64)
	return d.at(p), err == nil
}

// faults reports what an event that was not expected looked like, and why sessions failed.
func (r *run) faults(result *bench.Result) {
	for _, s := range r.shards {
		s.mu.Lock()
		example := s.example
		s.mu.Unlock()
		if example != "" {
			f := client.Fault{Expected: fmt.Sprintf("the number of a publication in %q, at %s", r.p.Expect.Event, r.wanted()),
				Got: fmt.Sprintf("%q", example), Next: "correct expect.event, expect.sequence or expect.time"}
			result.Problems = append(result.Problems, f.Error())
			break
		}
	}
	if r.p.Expect != nil && r.times.delivery.count() == 0 && r.delivered() == 0 && r.published.Load() > 0 && result.Partial == "" {
		f := client.Fault{Expected: fmt.Sprintf("the event %q after %d publications", r.p.Expect.Event, r.published.Load()),
			Got:  "none",
			Next: "check expect.event, and that the server passes on what publish sends: {{mark}} must come back unchanged"}
		result.Problems = append(result.Problems, f.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range slices.Sorted(maps.Keys(r.failures)) {
		result.Problems = append(result.Problems, fmt.Sprintf("%d times: %s", r.failures[text], text))
	}
}

// wanted names the place of the number.
func (r *run) wanted() string {
	if r.p.Expect.Sequence != "" {
		return r.p.Expect.Sequence
	}
	return strings.TrimPrefix(r.p.Expect.Time, "")
}

// metrics fills in the figures.
func (r *run) metrics(result *bench.Result, s sums, m reading) {
	add := func(name, unit, better string, value float64) {
		result.Metrics = append(result.Metrics, bench.Metric{Name: name, Unit: unit, Better: better, Value: value, Samples: []float64{value}})
	}
	times := func(name string, d *spread) {
		if d.count() == 0 {
			return
		}
		for _, p := range []float64{50, 90, 95, 99} {
			add(fmt.Sprintf("%s p%g", name, p), "us", bench.BetterLower, d.at(p))
		}
		add(name+" max", "us", bench.BetterLower, d.at(100))
	}
	times("connect", &r.connect)
	if r.p.Join != nil {
		times("connect and join", &r.join)
	}
	rates := func(name string, value float64) {
		if s.bound {
			name += bench.ClientBound
		} else {
			name += " per second"
		}
		add(name, "1/s", "", value)
	}
	if r.p.Publish != nil {
		rates("publications", s.values[countPublishRate])
		times("answer", &r.times.answer)
	}
	if r.p.Expect != nil {
		rates("deliveries", s.values[countRate])
		times("latency", &r.times.delivery)
	}
	for _, name := range append(slices.Clone(faults), countPublished, countDelivered, countUsers) {
		better := bench.BetterLower
		if !slices.Contains(faults, name) {
			better = ""
		}
		add(strings.ReplaceAll(name, "_", " "), "", better, s.values[name])
	}
	if m.known {
		if n := max(s.delivered, s.values[countPublished]); n > 0 {
			what := "delivery"
			if s.delivered == 0 {
				what = "publication"
			}
			add("server CPU per "+what, "us", bench.BetterLower, float64((m.after.Server-m.before.Server).Microseconds())/n)
		}
		add("server memory", "MiB", bench.BetterLower, float64(m.peak)/(1<<20))
	}
	add("client CPU share", "", "", s.cpu)
	add("client lag p99", "us", "", r.lag.at(99))
	if s.bound {
		result.Note(fmt.Sprintf("THE CLIENT IS THE BOTTLENECK: this process used %.0f %% of its processors, and ran what was due up to %v "+
			"late (99th percentile): latencies are its own as well; use fewer users, a lower rate, or another machine",
			s.cpu*100, time.Duration(r.lag.at(99)*1e3).Round(time.Microsecond)))
	}
}
