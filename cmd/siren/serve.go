package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/cmd/siren/node"
	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/systemd"
)

const serveHelp = `Runs a Socket.IO server that relays events between its clients, in memory. It
needs no configuration: official Socket.IO clients connect to port 3000, and a
browser that opens http://localhost:3000/ gets a small chat to try it with.

Every flag is a key of the configuration; a file (--config) and the environment
may set all of them: see siren config --help. Namespaces have rules, which say
what clients may do there. Without any there is one namespace, "/", where a
client may send these events. Each is acknowledged, if the client asks for it,
with an object: {"status":"ok"}, or {"error":"why not"}.

  join     "room" or ["room","room"]
           From now on the client gets what is published to the room.
  leave    "room" or ["room","room"]
           The opposite. A room it is not in is no error.
  publish  {"event":"name","data":any,"room":"room"}
           Sends the event with the data, which may hold binary values, to
           everybody in the room, the sender too if it is in it. "args" is a
           list of values in place of one, "rooms" a list of rooms, "except"
           the rooms that do not get it, "all":true means everybody. The
           acknowledgement has the number of sockets that it was sent to:
           {"status":"ok","count":2}. A socket's id is a room that holds this
           socket.

and gets, besides what is published:

  count    number of sockets that are connected; once at the start, and when it
           has changed, at most five times a second

Names of rooms and events have 1 to 128 bytes without control characters. The
names of Socket.IO's own events, such as "connect", and "count", "token" and
"token-expiring" cannot be published. A socket may be in 1,000 rooms.

With a key in auth.jwt clients may give a token, and with webhooks.url a backend
decides who comes in. It publishes by HTTP requests to the operators' listener,
on 127.0.0.1:3001 (--admin-listen); without an API key only this machine may ask.

Other paths: /healthz answers 200 "ok" as long as the process serves, also at
the limit of connections; /readyz answers 503 while it drains; / is the demo page.

With --reuse-port a new process takes over from the one that serves, which then
drains; nobody is refused.

SIGTERM or SIGINT drains the server: new clients are refused, and the others are
disconnected over drain.spread (10 s), each when it has all that was sent to it,
so that they reconnect elsewhere. The exit code is 0, or 3 if something was lost:
an event was not written, or drain.timeout (30 s) cut something short. Signals
within a second count as one; a later one cuts the drain short, and a third ends
the process. SIGHUP reads the file of --config again; without one it drains the
server, and under nohup it does nothing. When the reader of the log has gone, the
server goes on without a log.`

// newServeCommand is the broadcast node.
func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a Socket.IO broadcast server",
		Long:  serveHelp,
		Example: `  siren serve
  siren serve --config siren.yaml
  siren serve --addr :8080 --cors-origin https://app.example
  siren serve --addr unix:///run/siren.sock --no-demo --log-format json`,
		Args: cobra.NoArgs,
	}
	flags := config.AddFlags(cmd.Flags())
	completeWords(cmd, flags.Enums())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		outliveLog()
		sources := config.Sources{File: flags.File, Environ: os.Environ(), Flags: flags}
		return serve(cmd.Context(), sources, cmd.ErrOrStderr())
	}
	return cmd
}

// serve runs a node until ctx ends. Errors are for the user to read.
func serve(ctx context.Context, sources config.Sources, logs io.Writer) error {
	loaded, err := config.Load(sources)
	if err != nil {
		return err
	}
	o := node.Options{Loaded: loaded, Log: logs, Cut: cutOf(ctx), Commit: thisBuild().Commit}
	if o.Sockets, err = systemd.Activated(); err != nil {
		return err
	}
	defer o.Sockets.Close()
	if sources.File != "" {
		o.Load = func() (*config.Loaded, error) { return config.Load(sources) }
	}
	n, err := node.New(o)
	if err != nil {
		return err
	}
	if sources.File != "" {
		defer reloadOnHangup(n)()
	}
	drains.Store(true)
	defer drains.Store(false)
	var loss *node.LossError
	if err := n.Run(ctx); !errors.As(err, &loss) {
		return err
	}
	return exitLoss
}

// exitLoss is the exit code of serve when something was lost at its end, or cut short.
const exitLoss exitStatus = 3

// reloadOnHangup has SIGHUP read the configuration again, until stop is called.
func reloadOnHangup(n *node.Node) (stop func()) {
	hangupReloads.Store(true)
	received, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(received, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-received:
				_, _ = n.Reload() // which logs what came of it
			case <-done:
				return
			}
		}
	}()
	return func() {
		hangupReloads.Store(false)
		signal.Stop(received)
		close(done)
	}
}
