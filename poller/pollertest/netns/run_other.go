//go:build !linux

package netns

import (
	"errors"
	"net"
	"os/exec"
)

var errLinux = errors.New("network namespaces need Linux")

func isolate(*exec.Cmd) error { return errLinux }

func (cfg *Config) apply() error { return errLinux }

// Dialer connects sockets with the system's usual receive buffer: the tests that need another are skipped here.
func Dialer(int) *net.Dialer { return new(net.Dialer) }
