package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/cmd/siren/node/api"
)

// selection are the flags that say whom a command is for.
type selection struct {
	namespace            string
	rooms, users, except []string
}

func (s *selection) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&s.namespace, "namespace", "n", "/", "namespace")
	flags.StringArrayVar(&s.rooms, "room", nil, "room, or id of a socket; may be repeated")
	flags.StringArrayVar(&s.users, "user", nil, "user whose sockets are meant; may be repeated")
	flags.StringArrayVar(&s.except, "except", nil, "room, or id of a socket, that is left out; may be repeated")
}

// body returns the part of a call's body that says whom it is for.
func (s *selection) body() map[string]any {
	body := map[string]any{"namespace": s.namespace}
	for name, list := range map[string][]string{"rooms": s.rooms, "users": s.users, "except": s.except} {
		if len(list) > 0 {
			body[name] = list
		}
	}
	return body
}

const emitHelp = `Sends an event to clients of a running node, through its operators' listener.
Arguments are JSON: strings need their quotes.

Without an event it reads lines from standard input, each a JSON object with the
fields of the API's call emit: namespace, rooms, users, except, event, args,
volatile, local. They are sent in batches, in their order. The first line that is
wrong is named by its number and ends the command; those before it were sent.

With --broker it needs no node: it publishes to all nodes of the cluster through
their broker, without users, --local and a number of sockets. Lines may have the
fields namespace, rooms, except, event, args and volatile.`

// newEmitCommand publishes from a shell.
func newEmitCommand() *cobra.Command {
	var to target
	var whom selection
	var volatile, local bool
	var brokerURL string
	cmd := &cobra.Command{
		Use:   "emit [event [argument…]]",
		Short: "Send an event to clients of a running node",
		Long:  emitHelp,
		Example: `  siren emit --room news headline '{"text":"It works"}'
  siren emit --user ann message '"hello"' 42
  printf '{"event":"tick","args":[%d]}\n' 1 2 3 | siren emit
  siren emit --broker redis://127.0.0.1:6379 --room news headline '"Hello"'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if brokerURL != "" {
				return emitByBroker(cmd, brokerURL, &whom, volatile, local, to.json, args)
			}
			client, err := to.client()
			if err != nil {
				return err
			}
			defer client.Close()
			out := cmd.OutOrStdout()
			if len(args) == 0 {
				done, err := client.EmitLines(cmd.Context(), cmd.InOrStdin(), api.CheckEmit)
				if err != nil {
					return err
				}
				return to.tell(out, done, fmt.Sprintf("%d events, to %d sockets", done.Lines, done.Count))
			}
			body := whom.body()
			body["event"] = args[0]
			if body["args"], err = jsonArguments(args[1:]); err != nil {
				return err
			}
			body["volatile"], body["local"] = volatile, local
			answer, err := client.Call(cmd.Context(), "emit", body)
			if err != nil {
				return err
			}
			var done struct {
				Count int  `json:"count"`
				Exact bool `json:"exact"`
			}
			if err := json.Unmarshal(answer, &done); err != nil {
				return err
			}
			about := ""
			if !done.Exact {
				about = "at most "
			}
			return to.tell(out, json.RawMessage(answer), fmt.Sprintf("to %s%d sockets", about, done.Count))
		},
	}
	to.add(cmd)
	whom.add(cmd)
	cmd.Flags().BoolVar(&volatile, "volatile", false, "drop it for clients that cannot take it at once")
	cmd.Flags().StringVar(&brokerURL, "broker", "", "publish through the broker of a cluster at this URL, without a node")
	cmd.Flags().BoolVar(&local, "local", false, "only sockets of this node")
	return cmd
}

// jsonArguments checks arguments of an event.
func jsonArguments(args []string) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(args))
	for i, a := range args {
		if !json.Valid([]byte(a)) {
			return nil, fmt.Errorf("argument %d is not JSON: %s (strings need quotes: '\"text\"')", i+1, a)
		}
		out[i] = json.RawMessage(a)
	}
	return out, nil
}

// tell prints a result, for programs or for people.
func (t *target) tell(out io.Writer, result any, text string) error {
	if !t.json {
		_, err := fmt.Fprintln(out, text)
		return err
	}
	line, err := json.Marshal(result)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}
