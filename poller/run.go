package poller

import "github.com/panjf2000/gnet/v2"

// run runs gnet from start to end and then cleans up.
func (e *Engine) run() error {
	if len(e.addrs) == 0 {
		e.finish(e.runClient())
		return e.Err()
	}
	e.finish(gnet.Rotate((*handler)(e), e.gnetAddrs(), e.options()...))
	return e.Err()
}

func (e *Engine) options() []gnet.Option {
	return []gnet.Option{
		gnet.WithNumEventLoop(e.config.Loops),
		gnet.WithLoadBalancing(gnet.RoundRobin),
		gnet.WithReuseAddr(true),
		gnet.WithReusePort(e.config.ReusePort),
		gnet.WithTCPNoDelay(e.noDelay()),
		gnet.WithReadBufferCap(e.config.ReadBufferBytes),
		gnet.WithSocketSendBuffer(e.config.SendBufferBytes),
		gnet.WithTicker(e.config.PrivateFiles),
		gnet.WithLockOSThread(false),
		gnet.WithLogger(e.logger),
	}
}

func (e *Engine) noDelay() gnet.TCPSocketOpt {
	if e.config.Nagle {
		return gnet.TCPDelay
	}
	return gnet.TCPNoDelay
}
