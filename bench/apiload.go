package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// APIConfig says how to load the HTTP API of a broadcast node. A plain value.
type APIConfig struct {
	// URL is the operators' listener, Key a key of it; empty for none.
	URL, Key string
	// Connections are those that send, each its next request when the one before is answered. Batch is the number of
	// events in a request; 1 uses the call emit.
	Connections, Batch int
	// Duration is how long they send.
	Duration time.Duration
	// Subscribers is the number of clients that get every event, and check it; Clients the URL that they connect to.
	Subscribers int
	Clients     string
	// PIDs are the node's processes. Empty: those that listen on the port.
	PIDs []int
}

// APIResult is what was measured. A plain value.
type APIResult struct {
	// OK is true when no request failed, and each event that the node took came once and in order to each subscriber.
	OK          bool    `json:"ok"`
	Connections int     `json:"connections"`
	Batch       int     `json:"batch"`
	Subscribers int     `json:"subscribers"`
	Seconds     float64 `json:"seconds"`
	Emits       int64   `json:"emits"`
	PerSecond   float64 `json:"emits_per_second"`
	// Microseconds are those of a request, from its first byte to the last of its answer.
	Microseconds struct {
		P50 int64 `json:"p50"`
		P99 int64 `json:"p99"`
		Max int64 `json:"max"`
	} `json:"request_us"`
	// CPU is the node's time for each event, in microseconds; 0 when its processes are not known.
	CPU     float64 `json:"node_cpu_us_per_emit"`
	UserCPU float64 `json:"node_user_cpu_us_per_emit"`
	// Overloaded events were refused because an event loop was behind; nobody got them.
	Overloaded int64 `json:"overloaded"`
	Deliveries int64 `json:"deliveries"`
	// Missing deliveries did not come in time, Wrong ones came twice, out of order, or were something else.
	Missing int64 `json:"missing"`
	Wrong   int64 `json:"wrong"`
	// Problems are what went wrong otherwise.
	Problems []string `json:"problems,omitempty"`
}

// apiRoom is the room that events are sent to: subscribers are in it, or nobody.
const apiRoom = "siren-bench-api"

// arrival is how long the last events may take.
const arrival = 10 * time.Second

// RunAPI loads the API and measures it. An error means that there is no measurement.
func RunAPI(ctx context.Context, cfg APIConfig) (*APIResult, error) {
	if !supported {
		return nil, ErrSystem
	}
	t, err := parseTarget(cfg.URL)
	if err != nil {
		return nil, err
	}
	if t, err = t.resolve(); err != nil {
		return nil, err
	}
	run := &apiRun{cfg: cfg, target: t, latencies: hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)}
	seen := processes{root: procRoot, pids: cfg.PIDs}
	if len(seen.pids) == 0 {
		if seen.pids, err = listenerOwners(procRoot, t.addr); err != nil {
			run.note("the node's CPU is not known: " + err.Error())
		}
	}
	subscribers, err := run.subscribe(ctx)
	if err != nil {
		return nil, err
	}
	defer subscribers.close()
	before, _ := seen.cpu()
	begin := time.Now()
	if err := run.send(ctx); err != nil {
		return nil, err
	}
	seconds := time.Since(begin).Seconds()
	after, _ := seen.cpu()
	r := &APIResult{
		Connections: cfg.Connections, Batch: cfg.Batch, Subscribers: cfg.Subscribers, Seconds: seconds,
		Emits: run.emits.Load(), Overloaded: run.overloaded.Load(), PerSecond: float64(run.emits.Load()) / seconds,
	}
	r.Microseconds.P50, r.Microseconds.P99 = run.latencies.ValueAtQuantile(50), run.latencies.ValueAtQuantile(99)
	r.Microseconds.Max = run.latencies.Max()
	if r.Emits > 0 {
		used := after.sub(before)
		r.CPU = float64(used.total().Microseconds()) / float64(r.Emits)
		r.UserCPU = float64(used.user.Microseconds()) / float64(r.Emits)
	}
	wanted := r.Emits * int64(cfg.Subscribers)
	subscribers.await(ctx, wanted)
	r.Deliveries, r.Wrong = subscribers.got.Load(), subscribers.wrong.Load()
	r.Missing = max(wanted-r.Deliveries, 0)
	r.Problems = run.problems
	r.OK = r.Missing+r.Wrong == 0 && !run.failed
	return r, nil
}

// apiRun is a run under way. Safe for concurrent use.
type apiRun struct {
	cfg    APIConfig
	target target
	// emits were taken by the node, overloaded refused because an event loop was behind.
	emits, overloaded atomic.Int64

	mu        sync.Mutex // guards what follows
	latencies *hdrhistogram.Histogram
	problems  []string
	failed    bool
}

func (r *apiRun) note(problem string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, problem)
}

func (r *apiRun) fail(err error) {
	r.note(err.Error())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

// send sends from all connections for the time of the run.
func (r *apiRun) send(ctx context.Context) error {
	callers := make([]*apiCaller, r.cfg.Connections)
	for i := range callers {
		c, err := r.dial(ctx)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		callers[i] = c
	}
	end := time.Now().Add(r.cfg.Duration)
	var sending sync.WaitGroup
	for i, c := range callers {
		sending.Go(func() {
			if err := r.sendFrom(ctx, i, c, end); err != nil {
				r.fail(err)
			}
		})
	}
	sending.Wait()
	return nil
}

// sendFrom sends numbered events until the end.
func (r *apiRun) sendFrom(ctx context.Context, number int, c *apiCaller, end time.Time) error {
	latencies := hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.latencies.Merge(latencies)
	}()
	call := "emit"
	if r.cfg.Batch > 1 {
		call = "emit/batch"
	}
	var body []byte
	for next := 0; time.Now().Before(end) && ctx.Err() == nil; {
		body = body[:0]
		if r.cfg.Batch > 1 {
			body = append(body, `{"emits":[`...)
		}
		for i := range r.cfg.Batch {
			if i > 0 {
				body = append(body, ',')
			}
			body = append(body, `{"rooms":["`+apiRoom+`"],"event":"tick","args":[`...)
			body = strconv.AppendInt(body, int64(number), 10)
			body = strconv.AppendInt(append(body, ','), int64(next), 10)
			body = append(body, `,{"price":"12.50","time":1700000000}]}`...)
			next++
		}
		if r.cfg.Batch > 1 {
			body = append(body, `]}`...)
		}
		begin := time.Now()
		answer, err := c.call(call, body)
		if err != nil {
			return err
		}
		_ = latencies.RecordValue(max(time.Since(begin).Microseconds(), 1))
		if err := r.judge(answer); err != nil {
			return err
		}
	}
	return nil
}

// overloadPause is how long a sender waits when the node is overloaded: the time in which a loop does thousands of
// tasks.
const overloadPause = 10 * time.Millisecond

// judge counts what became of the events of a request.
func (r *apiRun) judge(answer []byte) error {
	taken := bytes.Count(answer, []byte(`"count":`))
	overloaded := bytes.Count(answer, []byte(`"code":"overloaded"`))
	r.emits.Add(int64(taken))
	r.overloaded.Add(int64(overloaded))
	if taken+overloaded != r.cfg.Batch {
		return fmt.Errorf("the node refused an event: %.200s", answer)
	}
	if overloaded > 0 {
		time.Sleep(overloadPause)
	}
	return nil
}

// apiCaller is a keep-alive connection to the API. It belongs to one goroutine.
type apiCaller struct {
	conn net.Conn
	in   *bufio.Reader
	head string // of a request, behind its first line
	out  []byte
	body []byte
}

func (r *apiRun) dial(ctx context.Context) (*apiCaller, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.target.addr.String())
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	head := " HTTP/1.1\r\nHost: " + r.target.host + "\r\nContent-Type: application/json\r\n"
	if r.cfg.Key != "" {
		head += "Authorization: Bearer " + r.cfg.Key + "\r\n"
	}
	return &apiCaller{conn: conn, in: bufio.NewReader(conn), head: head + "Content-Length: "}, nil
}

// errAnswer is for an answer that is none of the API's.
var errAnswer = errors.New("bench: unexpected answer of the API")

// call makes a call. The answer is valid until the next one.
func (c *apiCaller) call(call string, body []byte) ([]byte, error) {
	c.out = append(append(append(c.out[:0], "POST /api/"...), call...), c.head...)
	c.out = append(strconv.AppendInt(c.out, int64(len(body)), 10), "\r\n\r\n"...)
	c.out = append(c.out, body...)
	_ = c.conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	status, length := "", -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		text := strings.TrimRight(string(line), "\r\n")
		name, value, _ := strings.Cut(text, ":")
		switch {
		case status == "":
			status = text
		case text == "":
			if length < 0 {
				return nil, fmt.Errorf("%w: %s without a length", errAnswer, status)
			}
			if cap(c.body) < length {
				c.body = make([]byte, length)
			}
			c.body = c.body[:length]
			if _, err := io.ReadFull(c.in, c.body); err != nil {
				return nil, fmt.Errorf("%w: %w", errAnswer, err)
			}
			if !strings.HasPrefix(status, "HTTP/1.1 200 ") && !strings.HasPrefix(status, "HTTP/1.1 503 ") {
				return nil, fmt.Errorf("%w: %s: %.200s", errAnswer, status, c.body)
			}
			return c.body, nil
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return nil, fmt.Errorf("%w: %s", errAnswer, text)
			}
		}
	}
}
