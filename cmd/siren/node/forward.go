package node

import (
	"context"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/room/cluster/forward"
)

// settleTime bounds how long a node waits for its peers to know it before it lets clients in.
const settleTime = time.Second

// newForward makes the part that passes requests on to other nodes, which find each other by the broker; nil without
// forward.listen.
func (n *Node) newForward(cfg *config.Config) (*forward.Node, error) {
	f := &cfg.Forward
	if f.Listen == "" {
		return nil, nil
	}
	out := forward.Config{
		Listen: f.Listen, Advertise: f.Advertise, Peers: f.Peers, Secret: []byte(f.SecretFile.Lines[0]),
		Logger: n.log.With("part", "forward"),
	}
	if n.broker != nil {
		out.Discovery = forward.Over(n.broker)
	}
	fw, err := forward.New(out)
	if err != nil {
		return nil, fmt.Errorf("requests cannot be passed on between nodes: %w", err)
	}
	n.log.Info("nodes' listener", "addr", fw.Addr().String(), "advertise", fw.Address())
	return fw, nil
}

// settleForward waits until other nodes know this one, for a moment.
func (n *Node) settleForward(ctx context.Context) {
	if n.forward == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	n.forward.Settle(ctx)
}

// closeForward ends the passing on, after the server.
func (n *Node) closeForward() {
	if n.forward != nil {
		_ = n.forward.Close() // its listener is of no use to anybody any more
	}
}
