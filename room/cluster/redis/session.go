package redis

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/codec/msgpack"
	"github.com/seed58c87869/siren/codec/quote"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// sessionPrefix begins the keys of sessions, as in the reference.
const sessionPrefix = "sio:session:"

// saving is a session on its way to the broker. Immutable.
type saving struct {
	key   string
	value []byte
	// until is when the session is over.
	until time.Time
}

var (
	errSessionSize = errors.New("redis: the session is too long")
	errSession     = errors.New("redis: not a session")
)

// SaveSession implements cluster.Log. Errors: ErrFull, ErrClosed, and for one that is longer than Config.MaxSession.
func (a *Adapter) SaveSession(s *cluster.Session, ttl time.Duration) error {
	value, err := appendSession(s)
	if err != nil {
		return err
	}
	if len(value) > a.cfg.MaxSession {
		a.status.DroppedInvalid.Add(1)
		return fmt.Errorf("%w: %d bytes", errSessionSize, len(value))
	}
	if a.status.State() == cluster.Closed {
		return cluster.ErrClosed
	}
	x := &saving{sessionPrefix + s.PID, value, time.Now().Add(ttl)}
	if err := a.outbox.Put(broker.Outgoing{Other: x, Size: len(value) + deliveryOverhead}); err != nil {
		a.status.DroppedFull.Add(1)
		return err
	}
	return nil
}

// command returns the command that stores the session; ok is false if it is over.
func (s *saving) command(b rueidis.Builder) (cmd rueidis.Completed, ok bool) {
	left := time.Until(s.until).Milliseconds()
	if left <= 0 {
		return cmd, false
	}
	return b.Set().Key(s.key).Value(rueidis.BinaryString(s.value)).PxMilliseconds(left).Build(), true
}

// TakeSession implements cluster.Log. The client needs Redis 6.2.
func (a *Adapter) TakeSession(ctx context.Context, pid string) (*cluster.Session, error) {
	ctx, cancel := a.status.WhileUp(ctx)
	defer cancel(nil)
	l := a.keeper.Link()
	if l == nil {
		return nil, cluster.ErrDown
	}
	text, err := l.client.Do(ctx, l.client.B().Getdel().Key(sessionPrefix+pid).Build()).ToString()
	switch {
	case rueidis.IsRedisNil(err):
		return nil, nil
	case err != nil:
		return nil, ended(ctx, err)
	case len(text) > a.cfg.MaxSession:
		a.status.Malformed.Add(1)
		return nil, errSessionSize
	}
	limits := a.limits()
	s, err := readSession(text, &limits)
	if err == nil && s.PID != pid {
		err = errSession
	}
	if err != nil {
		a.status.Malformed.Add(1)
		return nil, err
	}
	return s, nil
}

// ended returns the cause of a context that has ended, or the error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// appendSession encodes a session as the reference does: MessagePack in Base64. siren is a member of our own, which
// nodes of the reference ignore. The members that those need are always there.
func appendSession(s *cluster.Session) ([]byte, error) {
	data := s.Data
	if len(data.JSON) == 0 {
		data.JSON = []byte("{}")
	}
	b := quote.Append([]byte(`{"sid":`), s.ID)
	b = quote.Append(append(b, `,"pid":`...), s.PID)
	b = appendStrings(append(b, `,"rooms":`...), s.Rooms)
	b = append(append(b, `,"data":`...), data.JSON...)
	b = quote.Append(append(b, `,"siren":{"nsp":`...), s.Namespace)
	b = quote.Append(append(b, `,"user":`...), s.User)
	if !s.Base.IsZero() {
		b = quote.Append(append(b, `,"base":`...), s.Base.String())
	}
	b = append(quote.Append(append(b, `,"tag":`...), s.Tag), "}}"...)
	packed, err := msgpack.AppendValue(nil, b, data.Attachments)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, packed), nil
}

// sessionJSON is a session as the reference has it.
type sessionJSON struct {
	SID   string         `json:"sid"`
	PID   string         `json:"pid"`
	Rooms names          `json:"rooms"`
	Data  jsontext.Value `json:"data"`
	Siren struct {
		NSP  string `json:"nsp"`
		User string `json:"user"`
		Base string `json:"base"`
		Tag  string `json:"tag"`
	} `json:"siren"`
}

// readSession decodes a session.
func readSession(text string, limits *msgpack.Limits) (*cluster.Session, error) {
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errSession
	}
	d := msgpack.NewDecoder(packed, limits)
	b, attachments, err := d.Value()
	if err == nil {
		err = d.End()
	}
	if err != nil {
		return nil, err
	}
	var x sessionJSON
	if err := readJSON(b, &x); err != nil {
		return nil, err
	}
	if x.SID == "" || x.PID == "" {
		return nil, errSession
	}
	s := &cluster.Session{
		PID: x.PID, ID: x.SID, Namespace: x.Siren.NSP, Rooms: x.Rooms.texts(), User: x.Siren.User, Tag: x.Siren.Tag,
	}
	s.Base, _ = cluster.ParseOffset(x.Siren.Base)
	if len(x.Data) > 0 {
		s.Data, err = part(x.Data, attachments)
	}
	return s, err
}

var _ cluster.Log = (*Adapter)(nil)
