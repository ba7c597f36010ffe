package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/cmd/siren/node/broker"
)

// clusterBench is a run of siren bench cluster.
type clusterBench struct {
	broker string
	// node is the program of the nodes, and its arguments before the broker's URL.
	node           []string
	count, size    int
	rate           float64
	clients, times int
}

// clusterResult is the outcome of one repeat.
type clusterResult struct {
	Messages int     `json:"messages"`
	Lost     int     `json:"lost"`
	Disorder int     `json:"out_of_order"`
	Rate     float64 `json:"messages_per_second"`
	// PublisherCPU and ReceiverCPU are microseconds of the nodes' processes for each message.
	PublisherCPU float64 `json:"publisher_cpu_us"`
	ReceiverCPU  float64 `json:"receiver_cpu_us"`
	// Lag is from the emit to the client, in microseconds.
	LagP50, LagP99, LagMax int64
}

// clusterOutcome is what --json prints. The metrics have the form of the other scenarios.
type clusterOutcome struct {
	OK      bool            `json:"ok"`
	Reasons []string        `json:"reasons,omitempty"`
	Metrics []bench.Metric  `json:"metrics"`
	Repeats []clusterResult `json:"repeats"`
}

// newBenchClusterCommand measures two nodes with a broker between them.
func newBenchClusterCommand() *cobra.Command {
	c, node, asJSON := clusterBench{}, "", false
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Send through a broker from one node to clients of another: rate, lag and cost of a message",
		Long: `Starts two nodes, each a process, with the broker between them. One emits numbered
events to a room, as fast as the broker takes them or at a rate, and the clients
of the other one are in the room. Every message is counted at every client, and
the exit code is 1 when one was missing or came out of order. The broker is not
started, and its CPU is not counted.`,
		Example: `  siren bench cluster --broker redis://127.0.0.1:6379
  siren bench cluster --broker nats://127.0.0.1:4222
  siren bench cluster --broker 'redis://127.0.0.1:6379?adapter=sharded' --rate 1000 --count 10000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.broker == "" || c.count < 1 || c.size < 0 || c.clients < 1 || c.times < 1 || c.rate < 0 {
				return errors.New("--broker, and --count, --clients and --repeat above zero, are needed")
			}
			if c.node = strings.Fields(node); len(c.node) == 0 {
				self, err := os.Executable()
				if err != nil {
					return err
				}
				c.node = []string{self, "bench", clusterNodeCommand, "--broker"}
			}
			all, err := c.run(cmd.Context())
			if err != nil {
				return err
			}
			return tellCluster(cmd, all, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.broker, "broker", "", "`URL` of the broker, or embedded for one in the nodes")
	flags.StringVar(&node, "node", "", "`program` of the nodes, in place of Siren's; the broker's URL is its last argument (see bench/README.md)")
	flags.IntVar(&c.count, "count", 100_000, "messages of a repeat")
	flags.IntVar(&c.size, "size", 200, "bytes of a message's text")
	flags.Float64Var(&c.rate, "rate", 0, "messages a second; 0 is as fast as the broker takes them")
	flags.IntVar(&c.clients, "clients", 1, "clients of the receiving node")
	flags.IntVar(&c.times, "repeat", 3, "how often it is measured, after one that is not counted")
	flags.BoolVar(&asJSON, "json", false, "print JSON, for programs")
	return cmd
}

// run measures as often as it is told.
func (c *clusterBench) run(ctx context.Context) ([]clusterResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	urls, err := c.urls()
	if err != nil {
		return nil, err
	}
	from, err := c.startNode(ctx, urls[0])
	if err != nil {
		return nil, err
	}
	defer from.end()
	to, err := c.startNode(ctx, urls[1])
	if err != nil {
		return nil, err
	}
	defer to.end()
	clients := make([]*clusterClient, c.clients)
	for i := range clients {
		if clients[i], err = dialCluster(ctx, to.addr); err != nil {
			return nil, err
		}
		defer clients[i].conn.Close()
	}
	var out []clusterResult
	for i := range c.times + 1 {
		r, err := c.measure(from, to, clients)
		if err != nil {
			return nil, err
		}
		if i > 0 { // the first one makes the nodes warm
			out = append(out, r)
		}
	}
	return out, nil
}

// urls returns the brokers' URLs of the two nodes: with a broker in the nodes themselves, each has its own.
func (c *clusterBench) urls() (urls [2]string, err error) {
	if c.broker != broker.Embedded {
		return [2]string{c.broker, c.broker}, nil
	}
	var addrs [2]string
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return urls, err
		}
		defer l.Close()
		addrs[i] = l.Addr().String()
	}
	for i := range urls {
		urls[i] = fmt.Sprintf("%s://%s?route=%s&secret=bench", broker.Embedded, addrs[i], addrs[1-i])
	}
	return urls, nil
}

// measure sends the messages of one repeat.
func (c *clusterBench) measure(from, to *clusterNode, clients []*clusterClient) (r clusterResult, err error) {
	var before, after [2]clusterReport
	if before[0], err = from.order(clusterOrder{}); err != nil {
		return r, err
	}
	if before[1], err = to.order(clusterOrder{}); err != nil {
		return r, err
	}
	began := time.Now()
	var all sync.WaitGroup
	for _, x := range clients {
		all.Go(func() { x.take(c.count) })
	}
	if after[0], err = from.order(clusterOrder{c.count, c.size, c.rate}); err != nil {
		return r, err
	}
	all.Wait()
	took := time.Since(began)
	if after[1], err = to.order(clusterOrder{}); err != nil {
		return r, err
	}
	lags := hdrhistogram.New(1, lagMax, 3)
	for _, x := range clients {
		r.Messages += x.got
		r.Lost += c.count - x.got
		r.Disorder += x.disorder
		lags.Merge(x.lags)
	}
	r.Rate = float64(c.count) / took.Seconds()
	r.PublisherCPU = float64(after[0].CPU-before[0].CPU) / float64(c.count)
	r.ReceiverCPU = float64(after[1].CPU-before[1].CPU) / float64(c.count)
	r.LagP50, r.LagP99, r.LagMax = lags.ValueAtQuantile(50), lags.ValueAtQuantile(99), lags.Max()
	return r, nil
}

// startNode starts a process with a node and waits until it is in the cluster.
func (c *clusterBench) startNode(ctx context.Context, url string) (*clusterNode, error) {
	cmd := exec.CommandContext(ctx, c.node[0], append(c.node[1:len(c.node):len(c.node)], url)...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	n := &clusterNode{pid: cmd.Process.Pid, orders: json.NewEncoder(in), reports: json.NewDecoder(out)}
	n.end = func() {
		_ = in.Close() // the node ends then
		_ = cmd.Wait()
	}
	var first clusterReport
	if err := n.reports.Decode(&first); err != nil {
		n.end()
		return nil, fmt.Errorf("a node does not start: %s", bytes.TrimSpace(complaints.Bytes()))
	}
	n.addr = first.Addr
	return n, nil
}

const (
	// lagMax is the longest lag that is told, in microseconds.
	lagMax = 60_000_000
	// clusterPatience is how long a client waits for a message that does not come.
	clusterPatience = 15 * time.Second
)

// clusterClient is a client of the receiving node. Its numbers are those of the last repeat.
type clusterClient struct {
	conn *primed
	// lossy says that messages may be missing: the last one ends the repeat.
	lossy         bool
	got, disorder int
	// gap is the number of the last message that was missing before a later one came, -1 for none.
	gap  int
	lags *hdrhistogram.Histogram
}

// dialCluster connects a client, which is in the room when it has its CONNECT.
func dialCluster(ctx context.Context, addr string) (*clusterClient, error) {
	conn, rest, _, err := ws.Dial(ctx, "ws://"+addr+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		return nil, err
	}
	x := &clusterClient{conn: &primed{Conn: conn}}
	if rest != nil {
		x.conn.first, _ = rest.Peek(rest.Buffered())
	}
	if err := wsutil.WriteClientText(x.conn, []byte("40")); err != nil {
		return nil, err
	}
	for {
		_ = x.conn.SetReadDeadline(time.Now().Add(clusterPatience))
		text, err := wsutil.ReadServerText(x.conn)
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(text, []byte("40")) {
			return x, nil
		}
	}
}

// take reads the messages of a repeat. It gives up when none comes for a while.
func (x *clusterClient) take(count int) {
	x.got, x.disorder, x.gap, x.lags = 0, 0, -1, hdrhistogram.New(1, lagMax, 3)
	for next := 0; x.got < count && (!x.lossy || next < count); {
		_ = x.conn.SetReadDeadline(time.Now().Add(clusterPatience))
		text, err := wsutil.ReadServerText(x.conn)
		if err != nil {
			return
		}
		if string(text) == "2" {
			_ = wsutil.WriteClientText(x.conn, []byte("3"))
			continue
		}
		number, sent, ok := tickOf(text)
		if !ok {
			continue
		}
		_ = x.lags.RecordValue(max(1, (time.Now().UnixNano()-sent)/1000)) // beyond lagMax it does not count
		switch {
		case number < next:
			x.disorder++
		case number > next:
			x.gap = number - 1
		}
		next = number + 1
		x.got++
	}
}

// tickOf reads the number and the time of an event.
func tickOf(text []byte) (number int, sent int64, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(`42["`+tickEvent+`",`))
	if !ok {
		return 0, 0, false
	}
	parts := bytes.SplitN(rest, []byte(","), 3)
	if len(parts) < 3 {
		return 0, 0, false
	}
	number, err := strconv.Atoi(string(parts[0]))
	sent, err2 := strconv.ParseInt(string(parts[1]), 10, 64)
	return number, sent, err == nil && err2 == nil
}

// outcomeOf sums up the repeats.
func outcomeOf(all []clusterResult) clusterOutcome {
	out := clusterOutcome{Repeats: all}
	for i, r := range all {
		if r.Lost+r.Disorder > 0 {
			out.Reasons = append(out.Reasons, fmt.Sprintf("repeat %d: %d messages lost, %d out of order", i+1, r.Lost, r.Disorder))
		}
	}
	out.OK = len(out.Reasons) == 0
	of := func(name, unit, better string, value func(clusterResult) float64) {
		samples := make([]float64, len(all))
		for i, r := range all {
			samples[i] = value(r)
		}
		out.Metrics = append(out.Metrics, bench.NewMetric(name, unit, better, samples))
	}
	of("messages", "1/s", bench.BetterHigher, func(r clusterResult) float64 { return r.Rate })
	of("publisher's CPU for each", "us", bench.BetterLower, func(r clusterResult) float64 { return r.PublisherCPU })
	of("receiver's CPU for each", "us", bench.BetterLower, func(r clusterResult) float64 { return r.ReceiverCPU })
	of("lag p50", "us", bench.BetterLower, func(r clusterResult) float64 { return float64(r.LagP50) })
	of("lag p99", "us", bench.BetterLower, func(r clusterResult) float64 { return float64(r.LagP99) })
	return out
}

// tellCluster prints the results. A message that is missing or out of order is an error.
func tellCluster(cmd *cobra.Command, all []clusterResult, asJSON bool) error {
	out := outcomeOf(all)
	if asJSON {
		text, err := json.MarshalIndent(out, "", "  ")
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
	} else {
		rows := make([]string, 0, len(all))
		for _, r := range all {
			rows = append(rows, fmt.Sprintf("%d\t%d\t%d\t%.0f\t%.1f\t%.1f\t%d\t%d\t%d", r.Messages, r.Lost, r.Disorder, r.Rate,
				r.PublisherCPU, r.ReceiverCPU, r.LagP50, r.LagP99, r.LagMax))
		}
		const head = "MESSAGES\tLOST\tDISORDER\tPER SECOND\tPUBLISHER µs\tRECEIVER µs\tLAG p50 µs\tp99\tMAX"
		if err := table(cmd.OutOrStdout(), head, rows); err != nil {
			return err
		}
	}
	if !out.OK {
		return errReported
	}
	return nil
}
