package api

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// cursorLife is how long a cursor is good.
const cursorLife = 5 * time.Minute

// cursors makes and reads the cursors of pages: where to go on and until when, under a seal that binds them to a selection.
// Nothing is kept for one. Immutable, safe for concurrent use.
type cursors struct{ secret [32]byte }

func newCursors() *cursors {
	c := new(cursors)
	_, _ = rand.Read(c.secret[:]) // never fails
	return c
}

const sealBytes = 16

var cursorText = base64.RawURLEncoding.Strict()

// seal makes the seal of a cursor.
func (c *cursors) seal(selection, content []byte) []byte {
	m := hmac.New(sha256.New, c.secret[:])
	sum := sha256.Sum256(selection)
	_, _ = m.Write(sum[:])
	_, _ = m.Write(content)
	return m.Sum(nil)[:sealBytes]
}

// make makes the cursor for a position; that of the end is empty.
func (c *cursors) make(selection []byte, position string, now time.Time) string {
	if position == "" {
		return ""
	}
	content := binary.BigEndian.AppendUint64(nil, uint64(now.Add(cursorLife).UnixMilli()))
	content = append(content, position...)
	return cursorText.EncodeToString(append(c.seal(selection, content), content...))
}

// read returns the position of a cursor, or what is wrong with it.
func (c *cursors) read(selection []byte, cursor string, now time.Time) (position, wrong string) {
	if cursor == "" {
		return "", ""
	}
	raw, err := cursorText.DecodeString(cursor)
	if err != nil || len(raw) < sealBytes+8 {
		return "", "it is no cursor"
	}
	content := raw[sealBytes:]
	if !hmac.Equal(raw[:sealBytes], c.seal(selection, content)) {
		return "", "it is no cursor of this node for this selection"
	}
	if now.UnixMilli() > int64(binary.BigEndian.Uint64(content)) {
		return "", "it has expired: begin again without one"
	}
	return string(content[8:]), ""
}

// selectionKey names what a page is of: the call and all that selects.
func selectionKey(call string, r *request) []byte {
	var key []byte
	add := func(s string) { key = append(binary.BigEndian.AppendUint32(key, uint32(len(s))), s...) }
	add(call)
	add(r.namespace)
	add(r.prefix)
	for _, list := range [][]string{r.rooms, r.users, r.except} {
		key = binary.BigEndian.AppendUint32(key, uint32(len(list)))
		for _, s := range list {
			add(s)
		}
	}
	return append(key, byte(r.given&setOf(fieldRooms)), byte(r.given&setOf(fieldUsers)))
}
