package sio

// attachmentList collects the attachments of one packet. The same slice given twice is
// one attachment with two placeholders. Otherwise a peer could make the echo of a
// packet huge, with many placeholders for the one attachment that it sent. Empty
// slices have no identity and no bytes: each is an attachment of its own, as in the
// reference server.
type attachmentList struct {
	list   [][]byte
	index  map[attachmentKey]int // nil as long as list is short
	placed int                   // placeholders handed out
}

type attachmentKey struct {
	first *byte // nil for attachments without bytes, which are not looked up
	size  int
}

// searchMax is the length up to which the list is searched linearly.
const searchMax = 16

func keyOf(b []byte) attachmentKey {
	if len(b) == 0 {
		return attachmentKey{}
	}
	return attachmentKey{&b[0], len(b)}
}

// add returns the number of b. b is not copied.
func (a *attachmentList) add(b []byte) int {
	a.placed++
	key := keyOf(b)
	if len(b) == 0 {
		return a.append(b, key)
	}
	if a.index == nil {
		for i, have := range a.list {
			if keyOf(have) == key {
				return i
			}
		}
	} else if i, ok := a.index[key]; ok {
		return i
	}
	return a.append(b, key)
}

func (a *attachmentList) append(b []byte, key attachmentKey) int {
	num := len(a.list)
	a.list = append(a.list, b)
	if a.index != nil {
		a.index[key] = num
	} else if len(a.list) > searchMax {
		a.index = make(map[attachmentKey]int, 2*searchMax)
		for i, have := range a.list {
			a.index[keyOf(have)] = i
		}
	}
	return num
}
