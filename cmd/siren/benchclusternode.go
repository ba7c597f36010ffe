package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/cmd/siren/node/broker"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
)

// clusterNodeCommand is the hidden command of a node of siren bench cluster.
const clusterNodeCommand = "cluster-node"

// clusterOrder tells a node to emit, on its standard input. Without a count it only tells its numbers.
type clusterOrder struct {
	Count int     `json:"count"`
	Size  int     `json:"size"`
	Rate  float64 `json:"rate"`
}

// clusterReport is what a node tells on its standard output: when it is ready, and after each order.
type clusterReport struct {
	Addr string `json:"addr"`
	// CPU is the time that the process has used, in microseconds.
	CPU   int64         `json:"cpu_us"`
	Stats cluster.Stats `json:"stats"`
}

// newClusterNodeCommand is a node of siren bench cluster: its clients get what the other node emits.
func newClusterNodeCommand() *cobra.Command {
	url := ""
	cmd := &cobra.Command{
		Use: clusterNodeCommand, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runClusterNode(cmd.Context(), url, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&url, "broker", "", "broker")
	return cmd
}

// benchRoom is the room of all clients, tickEvent what they get.
const (
	benchRoom = "bench"
	tickEvent = "tick"
)

// joinTimeout bounds the waits for the broker: before the first message, and after the last one.
const joinTimeout = 10 * time.Second

func runClusterNode(ctx context.Context, url string, in io.Reader, out io.Writer) error {
	b, err := broker.New(broker.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if b == nil {
		return errors.New("--broker is missing")
	}
	srv, err := server.New(server.Config{}, server.WithAdapter(b))
	if err != nil {
		_ = b.Close()
		return err
	}
	defer srv.Close()
	ns := srv.Of("/")
	ns.OnConnect(func(ctx context.Context, s *server.Socket) error {
		if err := s.Join(benchRoom); err != nil {
			return err
		}
		return b.RoomReady(ctx, ns.Name(), benchRoom)
	})
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if err := b.Ready(ready); err != nil {
		return errors.Join(errors.New("the broker is not up"), err, b.Health().Err)
	}
	report := json.NewEncoder(out)
	first := clusterReport{Addr: srv.Addrs()[0].String()}
	if err := report.Encode(first); err != nil {
		return err
	}
	orders := json.NewDecoder(bufio.NewReader(in))
	for ctx.Err() == nil {
		var o clusterOrder
		if err := orders.Decode(&o); err != nil {
			return nil // the parent has ended, or wants this to end
		}
		emitTicks(ns, b, o)
		if err := report.Encode(clusterReport{CPU: cpuMicros(), Stats: b.Stats()}); err != nil {
			return err
		}
	}
	return nil
}

// queuedMax is how many messages may wait for the broker before a node without a rate waits.
const queuedMax = 4096

// emitTicks emits numbered events with the time, and returns when the broker has them. Without a rate it is as fast as the
// broker takes them. With one it does not wait for the broker: what is too much for the queue is dropped, and counted.
func emitTicks(ns *server.Namespace, b broker.Adapter, o clusterOrder) {
	filler, to, began := strings.Repeat("x", max(o.Size, 0)), ns.To(benchRoom), time.Now()
	for i := range o.Count {
		if o.Rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(i) / o.Rate * float64(time.Second)))))
		}
		for o.Rate == 0 && i%64 == 0 && b.Stats().Queued > queuedMax {
			time.Sleep(50 * time.Microsecond)
		}
		_, _ = to.Emit(tickEvent, i, time.Now().UnixNano(), filler) // the adapter counts what it drops
	}
	for end := time.Now().Add(joinTimeout); b.Stats().Queued > 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Microsecond)
	}
}

// cpuMicros is the processor time of this process.
func cpuMicros() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano()/1000 + u.Stime.Nano()/1000
}

// clusterNode is a process with a node. One goroutine may use it.
type clusterNode struct {
	addr    string
	pid     int
	orders  *json.Encoder
	reports *json.Decoder
	end     func()
}

// order gives an order and waits for the report.
func (n *clusterNode) order(o clusterOrder) (r clusterReport, err error) {
	if err = n.orders.Encode(o); err == nil {
		err = n.reports.Decode(&r)
	}
	if err != nil {
		err = fmt.Errorf("the node at %s has ended: %w", n.addr, err)
	}
	return r, err
}
