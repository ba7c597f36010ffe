package sessiontest

import (
	"fmt"
	"hash/crc32"
	"time"
)

// Patience bounds each wait of a client. Only failures take that long.
const Patience = 30 * time.Second

// textKept is the number of bytes of a message's text that is kept.
const textKept = 128

// Message is a received Engine.IO packet. Two are equal if their contents are. Immutable.
type Message struct {
	// Text is the packet's beginning, at most 128 bytes; Bytes and Sum are the length and the checksum of the whole.
	Text  string
	Bytes int
	Sum   uint32
}

// MessageOf returns the Message of a whole packet.
func MessageOf(packet string) Message {
	var d digest
	d.add([]byte(packet))
	return d.message()
}

// String returns the beginning of the packet.
func (m Message) String() string { return fmt.Sprintf("%.32q (%d bytes)", m.Text, m.Bytes) }

// digest makes a Message from parts.
type digest struct {
	text  []byte
	bytes int
	sum   uint32
}

func (d *digest) add(part []byte) {
	if room := textKept - len(d.text); room > 0 {
		d.text = append(d.text, part[:min(room, len(part))]...)
	}
	d.bytes += len(part)
	d.sum = crc32.Update(d.sum, crc32.IEEETable, part)
}

func (d *digest) message() Message { return Message{string(d.text), d.bytes, d.sum} }

// Ending describes what a client received until the end of its connection or session.
type Ending struct {
	// Messages has the messages of the session, without pings.
	Messages []Message
	// Closed reports whether the server has announced the end: by a WebSocket's close frame, or by a close packet in an
	// answer.
	Closed bool
	// Err is nil if the connection then ended with EOF between two messages or, for a polling client, if each of its
	// requests was answered.
	Err error
}

// Has reports whether the message came.
func (e *Ending) Has(want Message) bool {
	for _, m := range e.Messages {
		if m == want {
			return true
		}
	}
	return false
}

// String describes the end for a test's report.
func (e *Ending) String() string {
	last := "nothing"
	if n := len(e.Messages); n > 0 {
		last = e.Messages[n-1].String()
	}
	return fmt.Sprintf("%d messages, last %s; closed %v; error %v", len(e.Messages), last, e.Closed, e.Err)
}
