//go:build !linux

package poller

import "github.com/seed58c87869/siren/poller/portshare"

func idleListener() (int, error) { return -1, portshare.ErrUnsupported }

func accept(int) (int, error) { return -1, portshare.ErrUnsupported }
