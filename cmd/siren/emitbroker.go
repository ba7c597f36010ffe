package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/cmd/siren/node/broker"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster/emitter"
)

const (
	// brokerTime bounds the wait for the broker, at the beginning and at the end.
	brokerTime = 10 * time.Second
	// lineMax is the longest line that is read, in bytes.
	lineMax = 16 << 20
)

// brokerEvent is an event to publish through a broker.
type brokerEvent struct {
	Namespace string            `json:"namespace"`
	Rooms     []string          `json:"rooms"`
	Except    []string          `json:"except"`
	Event     string            `json:"event"`
	Args      []json.RawMessage `json:"args"`
	Volatile  bool              `json:"volatile"`
}

// emitByBroker publishes an event, or those of the lines of standard input, through a broker.
func emitByBroker(cmd *cobra.Command, url string, whom *selection, volatile, local, asJSON bool, args []string) error {
	if local || len(whom.users) > 0 {
		return errors.New("--local and --user need a node; they cannot be used with --broker")
	}
	a, err := broker.NewPublisher(url)
	if err != nil {
		return err
	}
	e := emitter.New(a)
	defer e.Close()
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), brokerTime, errors.New("the broker does not answer"))
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		return errors.Join(err, a.Health().Err)
	}
	sent := 0
	if len(args) > 0 {
		values, err := jsonArguments(args[1:])
		if err != nil {
			return err
		}
		sent = 1
		err = emitEvent(e, &brokerEvent{whom.namespace, whom.rooms, whom.except, args[0], values, volatile})
		if err != nil {
			return err
		}
	} else if sent, err = emitBrokerLines(cmd.Context(), cmd.InOrStdin(), e, a); err != nil {
		return err
	}
	if err := flush(cmd.Context(), a); err != nil {
		return err
	}
	out := &target{json: asJSON}
	return out.tell(cmd.OutOrStdout(), map[string]int{"lines": sent}, fmt.Sprintf("%d events, to all nodes", sent))
}

func flush(ctx context.Context, a broker.Publisher) error {
	ctx, cancel := context.WithTimeoutCause(ctx, brokerTime, errors.New("the broker does not take the events"))
	defer cancel()
	return a.Flush(ctx)
}

// flushEvery is how many lines are published before the broker is waited for, so that the queue never is full.
const flushEvery = 1000

// emitBrokerLines publishes the event of each line. An error names the line.
func emitBrokerLines(ctx context.Context, in io.Reader, e *emitter.Emitter, a broker.Publisher) (sent int, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, lineMax)
	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		v := brokerEvent{Namespace: "/"}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		err := d.Decode(&v)
		if err == nil && d.More() {
			err = errors.New("more than one object")
		}
		if err == nil {
			err = emitEvent(e, &v)
		}
		if sent++; err == nil && sent%flushEvery == 0 {
			err = flush(ctx, a)
		}
		if err != nil {
			return sent, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return sent, lines.Err()
}

// emitEvent publishes one event.
func emitEvent(e *emitter.Emitter, v *brokerEvent) error {
	if v.Event == "" {
		return errors.New("event: is missing")
	}
	if v.Rooms != nil && len(v.Rooms) == 0 {
		return nil // an empty list is nobody
	}
	o := e.Of(v.Namespace).To(v.Rooms...).Except(v.Except...)
	if v.Volatile {
		o = o.Volatile()
	}
	args := make([]any, len(v.Args))
	for i, a := range v.Args {
		args[i] = sio.Raw{JSON: a}
	}
	return o.Emit(v.Event, args...)
}
