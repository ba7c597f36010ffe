package sio

// Assembler joins the text of a binary packet with the attachments that follow it.
// Loop-owned; the zero value is ready to use and holds nothing.
//
// Between Begin and the last Add no other text may arrive: a session that receives
// one while Pending is true must end the connection.
type Assembler struct {
	pending *pendingPacket // nil when idle
}

type pendingPacket struct {
	packet      Packet
	attachments [][]byte
	bytes       int // sum of the attachments' sizes
}

// attachmentsAhead is the number of attachments for which room is reserved before they
// arrive; the count in the header is only a claim.
const attachmentsAhead = 8

// Begin starts to collect the attachments of p, which must be the result of Parse for
// text. It copies text and makes the views of p refer to the copy. A packet that was
// pending before is dropped. If p.Attachments is 0, nothing is pending and Take
// returns the packet at once.
func (a *Assembler) Begin(text []byte, p *Packet) {
	own := make([]byte, len(text))
	copy(own, text)
	for _, view := range [...]*[]byte{&p.Namespace, &p.Query, &p.Data, &p.Event, &p.Args} {
		*view = rebase(*view, text, own)
	}
	a.pending = &pendingPacket{
		packet:      *p,
		attachments: make([][]byte, 0, min(p.Attachments, attachmentsAhead)),
	}
}

// rebase returns the part of own that corresponds to view, or view itself if it is not
// a part of text. The capacity tells how far a slice is from the end of the memory
// behind it.
func rebase(view, text, own []byte) []byte {
	at := cap(text) - cap(view)
	if at < 0 || at+len(view) > len(text) {
		return view
	}
	if len(view) == 0 {
		if view == nil {
			return nil
		}
		return own[at:at]
	}
	if &view[0] != &text[at] {
		return view
	}
	return own[at : at+len(view)]
}

// Pending reports whether attachments are missing.
func (a *Assembler) Pending() bool {
	return a.pending != nil && len(a.pending.attachments) < a.pending.packet.Attachments
}

// Add copies the next attachment and reports whether it was the last one. lim may be
// nil. After an error, which wraps [ErrAttachments], nothing is pending any more.
func (a *Assembler) Add(data []byte, lim *Limits) (done bool, err error) {
	if !a.Pending() {
		a.Reset()
		return false, ErrAttachments
	}
	p := a.pending
	if len(data) > lim.attachmentBytes()-p.bytes {
		a.Reset()
		return false, ErrAttachments
	}
	own := make([]byte, len(data))
	copy(own, data)
	p.bytes += len(data)
	p.attachments = append(p.attachments, own)
	return !a.Pending(), nil
}

// Take returns the complete packet and its attachments. The caller then owns all of
// their memory. If there is no complete packet, the results are zero; an incomplete
// packet stays pending.
func (a *Assembler) Take() (p Packet, attachments [][]byte) {
	if a.pending == nil || a.Pending() {
		return Packet{}, nil
	}
	p, attachments = a.pending.packet, a.pending.attachments
	a.pending = nil
	return p, attachments
}

// Reset drops the pending packet.
func (a *Assembler) Reset() { a.pending = nil }
