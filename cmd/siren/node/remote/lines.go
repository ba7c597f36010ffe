package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// The bounds of a batch: what the node takes, with room for what JSON adds.
const (
	batchLines = 1000
	batchBytes = 3 << 20
	lineMax    = 3 << 20
)

// Lines is what became of lines.
type Lines struct {
	// Lines were taken by the node, for Count sockets.
	Lines int `json:"lines"`
	Count int `json:"count"`
}

// EmitLines reads lines, each a JSON object with the shape of the call emit, and sends them in batches: what there is at a
// time, so that a slow source is not held up. Empty lines are skipped. check tells what is wrong with a line; it may be
// nil. The first line that is wrong ends it, by an error with its number: those before were sent.
func (c *Client) EmitLines(ctx context.Context, in io.Reader, check func(line []byte) error) (Lines, error) {
	var done Lines
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := make(chan line, batchLines)
	go readLines(ctx, in, lines)
	var b batch
	for l := range lines {
		err := l.err
		if err == nil && check != nil {
			err = check(l.text)
		}
		if err == nil {
			b.add(l)
			if len(lines) > 0 && len(b.numbers) < batchLines && b.text.Len() < batchBytes {
				continue
			}
		}
		if failed := c.send(ctx, &b, &done); failed != nil {
			return done, failed
		}
		if err != nil {
			return done, fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	return done, c.send(ctx, &b, &done)
}

// line is one of the input. Immutable.
type line struct {
	number int
	text   []byte
	err    error
}

// readLines reads lines until the input ends, or is not wanted.
func readLines(ctx context.Context, in io.Reader, out chan<- line) {
	defer close(out)
	s := bufio.NewScanner(in)
	s.Buffer(nil, lineMax)
	n := 0
	put := func(l line) bool {
		select {
		case out <- l:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for s.Scan() {
		n++
		text := bytes.TrimSpace(s.Bytes())
		if len(text) > 0 && !put(line{number: n, text: bytes.Clone(text)}) {
			return
		}
	}
	if err := s.Err(); err != nil {
		put(line{number: n + 1, err: err})
	}
}

// batch is the body of a call of emit/batch in the making.
type batch struct {
	text    bytes.Buffer
	numbers []int
}

func (b *batch) add(l line) {
	if len(b.numbers) > 0 {
		b.text.WriteByte(',')
	}
	b.text.Write(l.text)
	b.numbers = append(b.numbers, l.number)
}

// send sends a batch, if there is anything in it, and empties it.
func (c *Client) send(ctx context.Context, b *batch, done *Lines) error {
	if len(b.numbers) == 0 {
		return nil
	}
	body := append(append([]byte(`{"emits":[`), b.text.Bytes()...), `]}`...)
	numbers := b.numbers
	*b = batch{}
	answer, err := c.Call(ctx, "emit/batch", body)
	if err != nil {
		return fmt.Errorf("lines %d to %d: %w", numbers[0], numbers[len(numbers)-1], err)
	}
	var got struct {
		Results []struct {
			Count int
			Error *Error
		}
	}
	if err := json.Unmarshal(answer, &got); err != nil || len(got.Results) != len(numbers) {
		return fmt.Errorf("lines %d to %d: the node's answer makes no sense", numbers[0], numbers[len(numbers)-1])
	}
	for i, r := range got.Results {
		if r.Error != nil {
			return fmt.Errorf("line %d: %w", numbers[i], r.Error)
		}
		done.Lines++
		done.Count += r.Count
	}
	return nil
}
