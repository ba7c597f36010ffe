package node

import (
	"errors"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
)

// ErrNoFile is returned by Reload when the node has no file to read again.
var ErrNoFile = errors.New("there is no configuration to read again: siren serve was started without --config")

// Reload reads the configuration again. What can change in a running node does; the result names that, what needs a
// restart, and what a flag or the environment overrides. Errors: config.Problems, all of them, and nothing is changed
// then; ErrNoFile.
func (n *Node) Reload() (config.Change, error) {
	if n.load == nil {
		return config.Change{}, ErrNoFile
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	change, err := n.reload()
	if err != nil {
		n.logProblems(err)
		return config.Change{}, err
	}
	n.log.Info("the configuration was read again", "changed", change.Changed, "overridden", change.Overridden)
	if len(change.Restart) > 0 {
		n.log.Warn("some changes of the configuration need a restart", "keys", change.Restart)
	}
	return change, nil
}

func (n *Node) logProblems(err error) {
	var problems config.Problems
	if !errors.As(err, &problems) {
		n.log.Error("the configuration stays as it was", "err", err)
		return
	}
	for i := range problems {
		n.log.Error("the configuration stays as it was", "err", problems[i].Error())
	}
}

// reload is Reload with the lock held. Everything that may fail comes before the first change.
func (n *Node) reload() (config.Change, error) {
	next, err := n.load()
	if err != nil {
		return config.Change{}, err
	}
	merged, change, err := n.running.Reload(next)
	if err != nil {
		return config.Change{}, err
	}
	cfg := &merged.Config
	rules, err := newRules(cfg)
	if err != nil {
		return config.Change{}, err
	}
	if err := n.gate.Update(n.gateConfig(cfg)); err != nil {
		return config.Change{}, err
	}
	if err := n.operators.reload(cfg); err != nil {
		_ = n.gate.Update(n.gateConfig(&n.running.Config)) // which was good before
		return config.Change{}, err
	}
	if slices.ContainsFunc(change.Changed, func(key string) bool { return strings.HasPrefix(key, "admin_ui.") }) {
		if err := n.setAdminUI(cfg); err != nil {
			_ = errors.Join(n.gate.Update(n.gateConfig(&n.running.Config)), n.operators.reload(&n.running.Config))
			return config.Change{}, err
		}
	}
	if err := errors.Join(n.srv.SetLimits(limitsOf(cfg)), n.srv.SetMaxSessions(cfg.Limits.Connections)); err != nil {
		return config.Change{}, err
	}
	if err := n.srv.SetCORS(originsAllowed(cfg.CORS.Origins)); err != nil {
		return config.Change{}, err
	}
	if err := n.spaces.apply(rules); err != nil {
		return config.Change{}, err
	}
	n.level.Set(levelOf(cfg.Log.Level))
	n.srv.LevelChanged()
	n.running = merged
	return change, nil
}
