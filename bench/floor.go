package bench

import (
	"context"
	"errors"
	"fmt"
)

// floorBatch is how many messages the floor puts into one send when it has
// them at hand.
const floorBatch = 16

// floorPriming is how many connections a floor gets before its memory is read.
const floorPriming = 16

// floorOwn is how many descriptors a floor needs beyond its connections, with
// those that are still being closed.
const floorOwn = 2*floorPriming + 32

// openFloor starts a floor and a stage for it, with sessions as in the stage
// of the server under test. What there is to remark about it stays with it.
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
	script := newFloorScript(cfg.Transport, d, cfg.Size)
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

// withFloor is open and openFloor at once; the floor is nil when none is
// wanted, or none can be had, which is remarked.
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

// prime opens some connections to a floor, so that the memory it takes for
// its first ones is not charged to those that follow. The server under test is
// left as it is.
func (s *stage) prime(ctx context.Context) error {
	if s.floor == nil {
		return nil
	}
	_, err := s.connect(ctx, floorPriming, 0)
	pause(ctx, settleAfter)
	return err
}

// abandonFloor remarks why the floor is given up, closes it, and returns nil.
func (r *run) abandonFloor(ctx context.Context, floor *stage, err error) *stage {
	if ctx.Err() == nil {
		r.result.note("the floor was given up: " + err.Error())
	}
	_ = floor.close()
	return nil
}

// alongside makes the floor do what the server under test did, unless there is
// no floor. It returns the floor, or nil when that failed.
func (r *run) alongside(ctx context.Context, floor *stage, do func(*stage) error) *stage {
	if floor == nil || ctx.Err() != nil {
		return floor
	}
	if err := do(floor); err != nil {
		return r.abandonFloor(ctx, floor, err)
	}
	return floor
}

// closeStages closes what is open of two stages.
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
