package poller

// kicker is the engine's helper goroutine. It wakes loops that have used up their budget, from outside of gnet's pass,
// and it drives the loops that gnet has not shown yet. It is safe for concurrent use.
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
	if l.kicked.CompareAndSwap(false, true) {
		k.loops <- l
	}
}

func (k *kicker) run() {
	defer close(k.done)
	for {
		select {
		case <-k.quit:
			return
		case l := <-k.loops:
			l.kicked.Store(false)
			if !l.standIn() {
				l.wake()
			}
		}
	}
}

func (k *kicker) stop() {
	close(k.quit)
	<-k.done
}

// standIn takes a turn for a loop that gnet has not shown, on the calling goroutine. It returns false when the loop
// has its own.
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
