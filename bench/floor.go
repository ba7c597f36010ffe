package bench

import (
	"context"
	"errors"
	"fmt"
)

// floorBatch is the number of messages that the floor puts into one send when it has several.
const floorBatch = 16

// floorPriming is how many connections a floor gets before its memory is read.
const floorPriming = 16

// floorOwn is the number of descriptors that a floor needs besides its connections, including those that are being
// closed.
const floorOwn = 2*floorPriming + 32

// floorConnsMax is the greatest number of connections of one floor.
const floorConnsMax = 1 << 20

// floorBurst is the command to send ticks to all connections.
type floorBurst struct {
	Count int   `json:"count"`
	Size  int   `json:"size"`
	GapNs int64 `json:"gap_ns"`
	// Batch is the greatest number of ticks in one send. Only a burst without a gap has several ready.
	Batch int `json:"batch"`
}

// floorHello is the message of a floor that listens.
type floorHello struct {
	Err  string `json:"err,omitempty"`
	Addr string `json:"addr,omitempty"`
}

// openFloor starts a floor and a stage for it, with the same sessions as the stage of the server. Remarks on the floor
// stay with the stage.
func (r *run) openFloor(cfg Config, d duty) (*stage, error) {
	d.Raw = true
	limit, err := descriptorLimit()
	if err != nil {
		return nil, err
	}
	if most := int(min(limit, floorConnsMax)) - floorOwn; cfg.Subscribers > most {
		if most < 1 {
			return nil, ErrDescriptors
		}
		cfg.Subscribers = most
		r.result.note(fmt.Sprintf("the floor has %d sessions: a single process may not open more", most))
	}
	script := newFloorScript(cfg.Transport, d, cfg.Vocabulary, cfg.Size)
	p, err := startProcess(cfg.Command, job{Role: roleFloor, Script: &script})
	if err != nil {
		return nil, err
	}
	var hello floorHello
	if err := p.answer(&hello); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if hello.Err != "" {
		_ = p.close() // what it said is the reason
		return nil, fmt.Errorf("%w: %s", errChild, hello.Err)
	}
	cfg.URL = "http://" + hello.Addr
	t, err := parseTarget(cfg.URL)
	if err == nil {
		t, err = t.resolve()
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	s, err := openStage(cfg, d, t, &processes{root: procRoot, pids: []int{p.cmd.Process.Pid}}, &Result{})
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	s.floor = p
	return s, nil
}

// withFloor is open and openFloor at once. The floor is nil if none is requested, or, with a remark, if none can be
// opened.
func (r *run) withFloor(cfg Config, d duty) (main, floor *stage, err error) {
	if main, err = r.open(cfg, d); err != nil {
		return nil, nil, err
	}
	if !cfg.Floor {
		return main, nil, nil
	}
	if floor, err = r.openFloor(cfg, d); err != nil {
		r.result.note("no floor: " + err.Error())
		return main, nil, nil
	}
	return main, floor, nil
}

// prime opens some connections to a floor, so that the memory for its first ones is not charged to later ones. The
// server under test is not primed.
func (s *stage) prime(ctx context.Context) error {
	if s.floor == nil {
		return nil
	}
	_, err := s.connect(ctx, floorPriming, 0)
	pause(ctx, settleAfter)
	return err
}

// abandonFloor notes the reason, closes the floor, and returns nil.
func (r *run) abandonFloor(ctx context.Context, floor *stage, err error) *stage {
	if ctx.Err() == nil {
		r.result.note("the floor was given up: " + err.Error())
	}
	_ = floor.close()
	return nil
}

// alongside repeats on the floor, if there is one, what the server under test did. It returns the floor, or nil if that
// failed.
func (r *run) alongside(ctx context.Context, floor *stage, do func(*stage) error) *stage {
	if floor == nil || ctx.Err() != nil {
		return floor
	}
	if err := do(floor); err != nil {
		return r.abandonFloor(ctx, floor, err)
	}
	return floor
}

// closeStages closes two stages, either of which may be nil.
func (r *run) closeStages(stages ...*stage) {
	for _, s := range stages {
		if s == nil {
			continue
		}
		if err := s.close(); err != nil {
			r.result.note("closing: " + err.Error())
		}
	}
}
