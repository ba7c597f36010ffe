package nats

import "encoding/binary"

// verb is what news of a node are. Immutable.
type verb byte

const (
	// verbHello asks for the receivers' lists, and has the list of the sender.
	verbHello verb = iota + 1
	// verbList has all namespaces of the sender.
	verbList
	// verbBeat has none of them: the sender is there, and its list is that of the version.
	verbBeat
	// verbChange has the namespaces that the sender has since this version, and those that it has no longer.
	verbChange
	// verbBye is the last word of the sender.
	verbBye
	// verbSync asks for verbSynced, with the same number as version: the sender's subscriptions are there for whoever
	// got it.
	verbSync
	verbSynced
	verbEnd
)

// news are what a node tells the others about itself. Immutable.
type news struct {
	verb verb
	node string
	// began is when the node began, in nanoseconds since 1970, so that a new one with the same id is told from it.
	began uint64
	// version counts the changes of the list.
	version uint64
	// namespaces are all, or the new ones; gone are those that it has no longer.
	namespaces, gone []string
}

// spacesMax bounds the namespaces that a node may have in the accounts of another.
const spacesMax = 1 << 20

func appendNews(b []byte, n *news) []byte {
	b = appendText(append(b, wireVersion, framePresence, byte(n.verb)), n.node)
	b = binary.AppendUvarint(binary.AppendUvarint(b, n.began), n.version)
	return appendTexts(appendTexts(b, n.namespaces), n.gone)
}

// readNews reads what appendNews has written, without its first two bytes.
func readNews(b []byte) (n news, err error) {
	r := reader{b: b}
	n.verb, n.node, n.began, n.version = verb(r.byte()), r.text(), r.number(), r.number()
	n.namespaces, n.gone = r.names(spacesMax), r.names(spacesMax)
	if n.verb == 0 || n.verb >= verbEnd || n.node == "" {
		r.fail()
	}
	return n, r.end()
}
