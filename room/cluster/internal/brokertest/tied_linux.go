package brokertest

import (
	"os/exec"
	"syscall"
)

// tie makes the process end with the test, however that ends.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
