package poller

// kicker is a goroutine of the engine. It wakes loops that have used up their budget, so that gnet looks at its sockets
// first, and it runs the turns of loops that gnet has not revealed yet. Safe for concurrent use.
type kicker struct {
	loops chan *Loop
	quit  chan struct{}
	done  chan struct{}
}

func newKicker(loops int) *kicker {
	return &kicker{loops: make(chan *Loop, loops), quit: make(chan struct{}), done: make(chan struct{})}
}

// kick requests a turn of l. It never blocks, because each loop is in the channel at most once.
func (k *kicker) kick(l *Loop) {
	if !l.kicked.Swap(true) && l.inKicker.CompareAndSwap(false, true) {
		k.loops <- l
	}
}

// wakeKicked wakes the loop if the kicker has not done so yet. It is called at the end of an entry from the network:
// gnet has looked at its sockets since the kick, and as long as these have input it does not leave the processor to the
// kicker.
func (l *Loop) wakeKicked() {
	if l.kicked.Load() && l.kicked.CompareAndSwap(true, false) {
		l.wake()
	}
}

func (k *kicker) run() {
	defer close(k.done)
	for {
		select {
		case <-k.quit:
			return
		case l := <-k.loops:
			l.inKicker.Store(false)
			if l.kicked.CompareAndSwap(true, false) && !l.standIn() {
				l.wake()
			}
		}
	}
}

func (k *kicker) stop() {
	close(k.quit)
	<-k.done
}

// standIn runs a turn of a loop that gnet has not revealed, on the calling goroutine. It returns false if gnet has
// revealed the loop.
func (l *Loop) standIn() bool {
	l.own.Lock()
	defer l.own.Unlock()
	if l.isBound() {
		return false
	}
	l.driver.Store(goroutineID())
	l.turn(false)
	return true
}
