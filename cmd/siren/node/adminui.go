package node

import (
	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/server/adminui"
)

// newAdminUI serves the official Admin UI; nil when the configuration has none.
func (n *Node) newAdminUI(cfg *config.Config) (*adminui.UI, error) {
	u := &cfg.AdminUI
	if !u.Enabled {
		return nil, nil
	}
	o := adminui.Options{
		Namespace: config.AdminUINamespace, Username: u.Username, ReadOnly: u.Readonly, Mode: adminui.Mode(u.Mode),
		// The name of the configuration is another one for each node; that of the host may not be.
		ServerID: cfg.Node, MaxListBytes: cfg.Limits.QueueBytes / 2, Logger: n.log,
	}
	if hashes := u.Hashes(); len(hashes) > 0 { // loading has checked it
		o.PasswordBcrypt = hashes[0]
	}
	return adminui.Instrument(n.srv, o)
}

// closeAdminUI ends the Admin UI, before the server: it has nothing to tell any more.
func (n *Node) closeAdminUI() {
	if n.adminUI != nil {
		n.adminUI.Close()
	}
}
