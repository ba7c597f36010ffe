package node

import (
	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/server/adminui"
)

// setAdminUI serves the official Admin UI as the configuration says, in place of one that is served already. Errors change
// nothing.
func (n *Node) setAdminUI(cfg *config.Config) error {
	u, old := &cfg.AdminUI, n.adminUI.Load()
	if !u.Enabled {
		n.closeAdminUI()
		return nil
	}
	o := adminui.Options{
		Namespace: config.AdminUINamespace, Username: u.Username, ReadOnly: u.Readonly, Mode: adminui.Mode(u.Mode),
		// The name of the configuration is another one for each node; that of the host may not be.
		ServerID: cfg.Node, MaxListBytes: cfg.Limits.QueueBytes / 2, Logger: n.log,
	}
	if hashes := u.Hashes(); len(hashes) > 0 { // loading has checked it
		o.PasswordBcrypt = hashes[0]
	}
	var next *adminui.UI
	var err error
	if old == nil {
		next, err = adminui.Instrument(n.srv, o)
	} else {
		next, err = old.Replace(o)
	}
	if err == nil {
		n.adminUI.Store(next)
	}
	return err
}

// closeAdminUI ends the Admin UI, if there is one, before the server: it has nothing to tell any more.
func (n *Node) closeAdminUI() {
	if u := n.adminUI.Load(); u != nil {
		u.Close()
	}
}
