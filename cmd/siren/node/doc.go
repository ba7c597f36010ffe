// Package node is the broadcast node: what `siren serve` runs. It puts together the configuration, a server.Server, the
// rules of the namespaces and the events that clients may send.
//
//	loaded, err := config.Load(config.Sources{File: "siren.yaml", Environ: os.Environ()})
//	...
//	n, err := node.New(node.Options{Loaded: loaded, Log: os.Stderr})
//	...
//	err = n.Run(ctx)
//
// A Node is safe for concurrent use.
package node
