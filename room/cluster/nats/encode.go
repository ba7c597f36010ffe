package nats

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/room/cluster"
)

// A message is its kind, its sender, the id of its question, a set of the parts below, and those parts in their order.
const (
	hasVolatile = 1 << iota
	hasNoCompress
	hasClose
	hasTimeout // in milliseconds
	hasCount
	hasTargetRooms
	hasExcept
	hasUsers
	hasRooms
	hasData
	hasAttachments
	hasSockets
	partsEnd // the first bit without a meaning
)

// appendMessage appends a message, which its namespace's subjects carry.
func appendMessage(b []byte, m *cluster.Message, from string) ([]byte, error) {
	b = append(b, wireVersion, frameMessage, byte(m.Kind))
	b = appendText(appendText(b, from), m.Request)
	parts := partsOf(m)
	b = binary.AppendUvarint(b, parts)
	if parts&hasTimeout != 0 {
		b = binary.AppendUvarint(b, uint64(max(m.Target.Timeout.Milliseconds(), 1)))
	}
	if parts&hasCount != 0 {
		b = binary.AppendUvarint(b, uint64(m.Count))
	}
	for _, list := range []struct {
		part  uint64
		names []string
	}{
		{hasTargetRooms, m.Target.Rooms}, {hasExcept, m.Target.Except}, {hasUsers, m.Target.Users}, {hasRooms, m.Rooms},
	} {
		if parts&list.part == 0 {
			continue
		}
		if len(list.names) > namesMax {
			return nil, fmt.Errorf("%w: %d names", errTooLong, len(list.names))
		}
		b = appendTexts(b, list.names)
	}
	if parts&hasData != 0 {
		b = appendBytes(b, m.Data.JSON)
	}
	if parts&hasAttachments != 0 {
		b = appendAttachments(b, m.Data.Attachments)
	}
	if parts&hasSockets != 0 {
		return appendSockets(b, m.Sockets)
	}
	return b, nil
}

// partsOf returns the parts that a message has.
func partsOf(m *cluster.Message) (parts uint64) {
	for i, has := range [...]bool{
		m.Target.Volatile, m.Target.NoCompress, m.Close, m.Target.Timeout > 0, m.Count > 0, len(m.Target.Rooms) > 0,
		len(m.Target.Except) > 0, len(m.Target.Users) > 0, len(m.Rooms) > 0, m.Data.JSON != nil,
		len(m.Data.Attachments) > 0, len(m.Sockets) > 0,
	} {
		if has {
			parts |= 1 << i
		}
	}
	return parts
}

func appendAttachments(b []byte, all [][]byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, a := range all {
		b = appendBytes(b, a)
	}
	return b
}

// errSocket is returned for a socket that cannot be described.
var errSocket = errors.New("nats: a socket cannot be encoded")

// socketsMax bounds the sockets in one answer: so many descriptions hold about as much memory as the longest message.
const socketsMax = 1 << 17

func appendSockets(b []byte, all []cluster.Socket) ([]byte, error) {
	if len(all) > socketsMax {
		return nil, fmt.Errorf("%w: %d sockets", errTooLong, len(all))
	}
	b = binary.AppendUvarint(b, uint64(len(all)))
	for i := range all {
		s := &all[i]
		if len(s.Rooms) > namesMax {
			return nil, fmt.Errorf("%w: %d rooms", errTooLong, len(s.Rooms))
		}
		handshake, err := s.Handshake.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSocket, err)
		}
		b = appendTexts(appendText(b, s.ID), s.Rooms)
		b = appendBytes(appendText(b, s.User), handshake)
		b = appendAttachments(appendBytes(b, s.Data.JSON), s.Data.Attachments)
	}
	return b, nil
}
