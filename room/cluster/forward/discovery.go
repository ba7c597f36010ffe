package forward

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// Discovery tells the nodes of a cluster short texts of each other. Safe for concurrent use.
type Discovery interface {
	// Listen makes it call receive with the texts of other nodes. It does not block.
	Listen(receive func(text []byte)) error
	// Announce tells all other nodes a text. It does not block.
	Announce(text []byte) error
	// Stop ends Listen.
	Stop()
}

// announcement is what a node tells the others.
type announcement struct {
	Address string `json:"address"`
	Time    int64  `json:"time"` // milliseconds since 1970
	Proof   string `json:"proof"`
}

const (
	// announcementMax bounds the length of an announcement.
	announcementMax = 1 << 10
	// retryAnnounce is the time to the next attempt when one has failed, because the broker is down for example.
	retryAnnounce = 200 * time.Millisecond
)

var errAnnouncement = errors.New("forward: this is no announcement of a node")

func (a *announcement) proof(k *keys) string {
	return hex.EncodeToString(mac(k.news, []byte(a.Address+"\n"+strconv.FormatInt(a.Time, 10))))
}

// announce returns the announcement of this node.
func (n *Node) announcement() []byte {
	a := announcement{Address: n.address, Time: time.Now().UnixMilli()}
	a.Proof = a.proof(n.keys)
	text, _ := json.Marshal(a) // strings and numbers can be encoded
	return text
}

// readAnnouncement returns the address in an announcement.
func readAnnouncement(text []byte, k *keys, now time.Time, skew time.Duration) (address string, err error) {
	var a announcement
	if len(text) > announcementMax || json.Unmarshal(text, &a) != nil {
		return "", errAnnouncement
	}
	switch {
	case a.Address == "" || len(a.Address) > addressMax:
		return "", errAnnouncement
	case !hmac.Equal([]byte(a.Proof), []byte(a.proof(k))):
		return "", errProof
	case now.Sub(time.UnixMilli(a.Time)).Abs() > skew:
		return "", errTime
	}
	return a.Address, nil
}

// discover begins to listen for other nodes, and to tell them of this one.
func (n *Node) discover() error {
	d := n.cfg.Discovery
	if err := d.Listen(n.hear); err != nil {
		return err
	}
	n.work.Go(func() {
		defer d.Stop()
		for n.ctx.Err() == nil {
			pause := n.cfg.AnnounceInterval
			if err := d.Announce(n.announcement()); err != nil {
				pause = min(pause, retryAnnounce)
			} else {
				n.announced.CompareAndSwap(0, time.Now().UnixNano())
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-n.ctx.Done():
			}
			timer.Stop()
		}
	})
	return nil
}

// hear takes an announcement of another node.
func (n *Node) hear(text []byte) {
	address, err := readAnnouncement(text, n.keys, time.Now(), n.cfg.Skew)
	if err != nil {
		n.stats.malformed.Add(1)
		return
	}
	n.meet(address, false)
}

// namespace is that of announcements. No client can join it, and no server has it, because of the comma.
const namespace = "/,siren/forward"

// event is the name of the event with an announcement.
const event = "node"

// Over returns a Discovery over the adapter that joins the nodes to one cluster, whatever its broker and its format.
func Over(a cluster.Adapter) Discovery { return overAdapter{a} }

type overAdapter struct{ adapter cluster.Adapter }

// Listen implements Discovery.
func (o overAdapter) Listen(receive func(text []byte)) error {
	return o.adapter.Subscribe(namespace, func(m *cluster.Message) {
		var args []json.RawMessage
		var name, text string
		if m.Kind != cluster.ServerSideEmit || len(m.Data.JSON) > 2*announcementMax ||
			json.Unmarshal(m.Data.JSON, &args) != nil || len(args) != 2 ||
			json.Unmarshal(args[0], &name) != nil || name != event || json.Unmarshal(args[1], &text) != nil {
			return
		}
		receive([]byte(text))
	})
}

// Announce implements Discovery.
func (o overAdapter) Announce(text []byte) error {
	data, err := json.Marshal([]string{event, string(text)})
	if err != nil {
		return err
	}
	return o.adapter.Publish(&cluster.Message{
		Kind: cluster.ServerSideEmit, Namespace: namespace, From: o.adapter.Node(), Data: sio.Raw{JSON: data},
	})
}

// Stop implements Discovery.
func (o overAdapter) Stop() { o.adapter.Unsubscribe(namespace) }
