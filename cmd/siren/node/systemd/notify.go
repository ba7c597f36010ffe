package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier tells the supervisor about the service (sd_notify). Immutable, safe for concurrent use.
type Notifier struct {
	// Log gets what goes wrong.
	Log *slog.Logger
}

func (n Notifier) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.Log.Warn("the supervisor cannot be told", "state", state, "err", err)
	}
}

// Ready tells that the service serves.
func (n Notifier) Ready() { n.tell(daemon.SdNotifyReady) }

// Stopping tells that the service begins to end, and that it may take so long.
func (n Notifier) Stopping(within time.Duration) {
	n.tell(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, within.Microseconds()))
}

// Watch tells the watchdog, twice in each of its intervals, that the service lives, until ctx ends. It does not tell
// while alive fails, which has half an interval. Without a watchdog it returns at once.
func (n Notifier) Watch(ctx context.Context, alive func(ctx context.Context) error) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		n.Log.Warn("the watchdog's interval cannot be read", "err", err)
	}
	if err != nil || interval <= 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		looking, cancel := context.WithTimeout(ctx, interval/2)
		err := alive(looking)
		cancel()
		if err == nil {
			n.tell(daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			n.Log.Error("the watchdog is not told, and may end the process", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
