package session

import (
	"slices"
	"sync"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/wsframe"
)

// inflating is a compressed message that takes more than one turn. Loop-owned by the connection's loop.
type inflating struct {
	ws      *wsConn
	kind    wsframe.Kind
	message *deflate.Inflation
}

// inflateWork estimates the time to inflate in bytes to out bytes, in nanoseconds. The clock corrects it if it is more.
func inflateWork(in, out int) int { return 5*in + 2*out }

// step inflates until the message is complete or the turn is over.
func (j *inflating) step(loop Loop) (done bool) {
	return j.message.Step(func(in, out int) bool { return !loop.Spend(inflateWork(in, out)) })
}

// inflateInSteps inflates a message in several turns. The shard inflates one message after the other, so that only one
// decompressor is in use between turns. The input of the connections is held meanwhile.
func (sh *Shard) inflateInSteps(w *wsConn, msg *wsframe.Message, limit int, window *deflate.Window) {
	dst := inflatedPool.Get().([]byte)
	j := &inflating{ws: w, kind: msg.Kind, message: deflate.NewInflation(dst[:0], msg.Data, limit, window)}
	if len(sh.inflating) == 0 && j.step(sh.loop) {
		j.finish()
		return
	}
	w.hold(holdInflating)
	sh.inflating = append(sh.inflating, j)
	if len(sh.inflating) == 1 {
		sh.inflateOn()
	}
	w.countFragments()
}

// inflatingSize returns the size of the connection's message that is being inflated, in bytes.
func (w *wsConn) inflatingSize() int {
	if i := w.shard().inflatingOf(w); i >= 0 {
		return w.shard().inflating[i].message.Size()
	}
	return 0
}

// inflatingOf returns the index of the connection's message in the list, or -1.
func (sh *Shard) inflatingOf(w *wsConn) int {
	return slices.IndexFunc(sh.inflating, func(j *inflating) bool { return j.ws == w })
}

// inflateOn continues with the first message of the list in a later turn.
func (sh *Shard) inflateOn() {
	if !sh.inflatePosted {
		sh.inflatePosted = true
		sh.loop.PostFunc(sh.inflateFn)
	}
}

// inflate inflates the first message of the list for one turn.
func (sh *Shard) inflate() {
	sh.inflatePosted = false
	if len(sh.inflating) == 0 {
		return
	}
	j := sh.inflating[0]
	w := j.ws
	if !j.step(sh.loop) {
		sh.inflateOn()
		w.countFragments()
		return
	}
	sh.forgetInflating(0)
	w.countFragments()
	defer w.unhold(holdInflating)
	if w.foreign == nil {
		defer w.session.EndOnPanic()
	}
	j.finish()
	w.postBatch()
}

// inflatedPool has buffers for messages that are inflated in steps. Without it, a client that sends one after the other
// would keep the garbage collector busy.
var inflatedPool = sync.Pool{New: func() any { return []byte(nil) }}

// finish passes on the inflated message.
func (j *inflating) finish() {
	data, err := j.message.Result()
	j.message.Close()
	j.ws.takeInflated(j.kind, data, err)
	inflatedPool.Put(data[:0])
}

// forgetInflating removes a message from the list and continues with the next one.
func (sh *Shard) forgetInflating(i int) {
	sh.inflating = slices.Delete(sh.inflating, i, i+1)
	if len(sh.inflating) > 0 {
		sh.inflateOn()
	}
}

// stopInflating forgets the message of a connection that is closed.
func (sh *Shard) stopInflating(w *wsConn) {
	if i := sh.inflatingOf(w); i >= 0 {
		sh.inflating[i].message.Close()
		sh.forgetInflating(i)
	}
}
