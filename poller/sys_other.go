//go:build !linux

package poller

// Without Linux there is no way to close the gate for packets or to look into the kernel's send queue; the engine
// then relies on FDReserve and on gnet's own buffer alone.

func unsentBytes(int) int { return -1 }

func dropIncoming(int) error { return nil }

func allowIncoming(int) error { return nil }

func setKeepAliveIdle(int, int) error { return nil }
