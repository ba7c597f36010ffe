package forward

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// A connection between nodes begins with three messages. The dialer's hello has the time and a nonce. The answer has a
// nonce of its own, and proves that the accepting node knows the secret; then the dialer proves it for that nonce. Who
// repeats a hello that he has seen gets an answer, and cannot go on.

// kind says what a connection is for.
type kind byte

const (
	// kindWatch is the connection on which a node sees whether another one is alive; kindLink is a link.
	kindWatch kind = 1 + iota
	kindLink
)

const (
	magic     = "SIRENFW1"
	nonceSize = 16
	// helloClaims is the part of a hello that its proof covers, answerClaims that of an answer.
	helloClaims  = len(magic) + 2 + 8 + nonceSize + 2*tagSize
	helloSize    = helloClaims + macSize
	answerClaims = 1 + nonceSize + tagSize
	answerSize   = answerClaims + macSize
)

// The statuses of an answer.
const (
	statusOK byte = iota
	// statusOther: the hello is for a node with another tag.
	statusOther
)

// hello is a dialer's first message.
type hello struct {
	kind  kind
	loop  byte // the loop of the session, for a link
	time  time.Time
	nonce [nonceSize]byte
	// from is the dialer's tag, to that of the node it wants; 0 is any.
	from, to tag
}

// Reasons for which a hello is refused. They are the labels of the metrics.
var (
	errMalformed = errors.New("malformed")
	errProof     = errors.New("wrong proof")
	errTime      = errors.New("wrong time")
	errReplayed  = errors.New("replayed")
	errTimeout   = errors.New("too slow")
)

// errOther means that another node has the address.
var errOther = errors.New("forward: another node is at this address")

func (h *hello) append(dst []byte, k *keys) []byte {
	at := len(dst)
	dst = append(append(dst, magic...), byte(h.kind), h.loop)
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.time.UnixMilli()))
	dst = append(dst, h.nonce[:]...)
	dst = h.to.append(h.from.append(dst))
	return append(dst, mac(k.links, []byte("hello"), dst[at:])...)
}

// parseHello reads a hello of helloSize bytes, and checks its proof and its time.
func parseHello(b []byte, k *keys, now time.Time, skew time.Duration) (h hello, err error) {
	if len(b) != helloSize || string(b[:len(magic)]) != magic {
		return h, errMalformed
	}
	claims, proof := b[:helloClaims], b[helloClaims:]
	if !hmac.Equal(proof, mac(k.links, []byte("hello"), claims)) {
		return h, errProof
	}
	rest := claims[len(magic):]
	h.kind, h.loop, rest = kind(rest[0]), rest[1], rest[2:]
	h.time, rest = time.UnixMilli(int64(binary.BigEndian.Uint64(rest))), rest[8:]
	copy(h.nonce[:], rest)
	h.from, h.to = readTag(rest[nonceSize:]), readTag(rest[nonceSize+tagSize:])
	switch {
	case h.kind != kindWatch && h.kind != kindLink:
		return h, errMalformed
	case now.Sub(h.time).Abs() > skew:
		return h, errTime
	}
	return h, nil
}

// greet is the dialer's side. It returns the tag of the node at the other end.
func greet(c io.ReadWriter, k *keys, h hello) (tag, error) {
	_, _ = rand.Read(h.nonce[:]) // it never fails
	first := h.append(nil, k)
	if _, err := c.Write(first); err != nil {
		return 0, err
	}
	answer := make([]byte, answerSize)
	if _, err := io.ReadFull(c, answer); err != nil {
		return 0, err
	}
	if !hmac.Equal(answer[answerClaims:], mac(k.links, []byte("answer"), first, answer[:answerClaims])) {
		return 0, errProof
	}
	if answer[0] != statusOK {
		return 0, errOther
	}
	_, err := c.Write(mac(k.links, []byte("proof"), first, answer))
	return readTag(answer[1+nonceSize:]), err
}

// welcome is the accepting side, of the node with the tag own.
func welcome(c io.ReadWriter, k *keys, own tag, now time.Time, skew time.Duration) (hello, error) {
	first := make([]byte, helloSize)
	if _, err := io.ReadFull(c, first); err != nil {
		return hello{}, errTimeout
	}
	h, err := parseHello(first, k, now, skew)
	if err != nil {
		return h, err
	}
	status := statusOK
	if h.to != 0 && h.to != own {
		status = statusOther
	}
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:])
	answer := own.append(append(append(make([]byte, 0, answerSize), status), nonce[:]...))
	answer = append(answer, mac(k.links, []byte("answer"), first, answer)...)
	if _, err := c.Write(answer); err != nil {
		return h, errTimeout
	}
	if status != statusOK {
		return h, errOther
	}
	proof := make([]byte, macSize)
	if _, err := io.ReadFull(c, proof); err != nil {
		return h, errReplayed
	}
	if !hmac.Equal(proof, mac(k.links, []byte("proof"), first, answer)) {
		return h, errReplayed
	}
	return h, nil
}

// addressMax bounds the address that a node tells.
const addressMax = 255

// tellAddress sends the address of a node, behind the greeting of a connection of kindWatch.
func tellAddress(c io.Writer, address string) error {
	_, err := c.Write(append([]byte{byte(len(address))}, address...))
	return err
}

// hearAddress reads that address.
func hearAddress(c io.Reader) (string, error) {
	b := make([]byte, 1, 1+addressMax)
	if _, err := io.ReadFull(c, b); err != nil {
		return "", err
	}
	b = b[:1+int(b[0])]
	_, err := io.ReadFull(c, b[1:])
	return string(bytes.Clone(b[1:])), err
}
