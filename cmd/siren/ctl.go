package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/remote"
)

// target are the flags that say which node a command is for, and how it tells the outcome.
type target struct {
	url, key, config string
	json             bool
}

func (t *target) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&t.url, "url", "", "operators' listener: a URL, host:port or unix:///path (default: admin.listen of --config, or http://"+admin.DefaultAddress+")")
	flags.StringVar(&t.key, "api-key", "", "key of the API (default: SIREN_API_KEY)")
	flags.StringVar(&t.config, "config", "", "configuration of the node, which says where it listens")
	flags.BoolVar(&t.json, "json", false, "print JSON, for programs")
}

// client makes the client of the node.
func (t *target) client() (*remote.Client, error) {
	address, err := t.address()
	if err != nil {
		return nil, err
	}
	key := t.key
	if key == "" {
		key = os.Getenv("SIREN_API_KEY")
	}
	return remote.New(address, key)
}

// address returns where the node's operators' listener is.
func (t *target) address() (string, error) {
	if t.url != "" {
		return t.url, nil
	}
	if t.config == "" {
		return admin.DefaultAddress, nil
	}
	loaded, err := config.Load(config.Sources{File: t.config, Environ: os.Environ()})
	if err != nil {
		return "", err
	}
	a := &loaded.Config.Admin
	switch {
	case a.Listen == "":
		return "", errors.New("admin.listen is empty: the node has no operators' listener")
	case strings.HasPrefix(a.Listen, "unix://"), a.TLS.CertFile == "":
		return a.Listen, nil
	}
	return "https://" + strings.TrimPrefix(a.Listen, "tcp://"), nil
}

// newCtlCommand looks at a running node and changes it.
func newCtlCommand() *cobra.Command {
	var to target
	cmd := &cobra.Command{
		Use:   "ctl",
		Short: "Look at a running node, and change it",
		Long: `Talks to a running node through its operators' listener: tables for people,
--json for programs. The exit code is 1 when something went wrong, with one line
on standard error.`,
	}
	to.add(cmd)
	cmd.AddCommand(newStatsCommand(&to), newRoomsCommand(&to), newSocketsCommand(&to), newDisconnectCommand(&to), newReloadCommand(&to))
	cmd.AddCommand(newDrainCommand(&to))
	return cmd
}

// call makes one call and decodes its answer.
func (t *target) call(ctx context.Context, call string, body, into any) (json.RawMessage, error) {
	client, err := t.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	answer, err := client.Call(ctx, call, body)
	if err != nil {
		return nil, err
	}
	return answer, json.Unmarshal(answer, into)
}

// pages makes a call again and again until there are no more pages, or most entries; 0 is all.
func pages[T any](ctx context.Context, t *target, call string, body map[string]any, entries string, most int) ([]T, error) {
	client, err := t.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	all := []T{}
	for {
		body["limit"] = 1000
		if most > 0 {
			body["limit"] = min(1000, most-len(all))
		}
		answer, err := client.Call(ctx, call, body)
		if err != nil {
			return nil, err
		}
		var page map[string]json.RawMessage
		var some []T
		var cursor string
		err = errors.Join(json.Unmarshal(answer, &page), json.Unmarshal(page[entries], &some), json.Unmarshal(page["cursor"], &cursor))
		if err != nil {
			return nil, fmt.Errorf("the node's answer makes no sense: %w", err)
		}
		all = append(all, some...)
		if cursor == "" || most > 0 && len(all) >= most {
			return all, nil
		}
		body["cursor"] = cursor
	}
}

// table prints rows under a head.
func table(out io.Writer, head string, rows []string) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, head)
	for _, r := range rows {
		_, _ = fmt.Fprintln(w, r)
	}
	return w.Flush()
}

func newRoomsCommand(to *target) *cobra.Command {
	namespace, prefix, limit := "/", "", 0
	cmd := &cobra.Command{
		Use: "rooms", Short: "List rooms and how many sockets are in each", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			type room struct {
				Name    string `json:"name"`
				Sockets int    `json:"sockets"`
			}
			all, err := pages[room](cmd.Context(), to, "rooms", map[string]any{"namespace": namespace, "prefix": prefix}, "rooms", limit)
			if err != nil {
				return err
			}
			slices.SortFunc(all, func(a, b room) int { return cmp.Compare(a.Name, b.Name) })
			if to.json {
				return to.tell(cmd.OutOrStdout(), map[string]any{"rooms": all}, "")
			}
			rows := make([]string, len(all))
			for i, r := range all {
				rows[i] = fmt.Sprintf("%s\t%d", printable(r.Name), r.Sockets)
			}
			return table(cmd.OutOrStdout(), "ROOM\tSOCKETS", rows)
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "/", "namespace")
	cmd.Flags().StringVar(&prefix, "prefix", "", "only rooms whose names begin so")
	cmd.Flags().IntVar(&limit, "limit", 0, "the most rooms (default: all)")
	return cmd
}

// printable keeps what clients chose from changing the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

func newSocketsCommand(to *target) *cobra.Command {
	var whom selection
	limit := 0
	cmd := &cobra.Command{
		Use: "sockets", Short: "List sockets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			type socket struct {
				ID          string          `json:"id"`
				Rooms       []string        `json:"rooms"`
				User        string          `json:"user"`
				Data        json.RawMessage `json:"data"`
				Address     string          `json:"address"`
				Transport   string          `json:"transport"`
				ConnectedAt time.Time       `json:"connected_at"`
			}
			all, err := pages[socket](cmd.Context(), to, "sockets", whom.body(), "sockets", limit)
			if err != nil {
				return err
			}
			slices.SortFunc(all, func(a, b socket) int {
				return cmp.Or(a.ConnectedAt.Compare(b.ConnectedAt), cmp.Compare(a.ID, b.ID))
			})
			if to.json {
				return to.tell(cmd.OutOrStdout(), map[string]any{"sockets": all}, "")
			}
			rows := make([]string, len(all))
			for i, s := range all {
				rows[i] = fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", s.ID, printable(s.User), s.Address, s.Transport,
					s.ConnectedAt.Local().Format(time.DateTime), printable(strings.Join(s.Rooms, " ")))
			}
			return table(cmd.OutOrStdout(), "SOCKET\tUSER\tADDRESS\tTRANSPORT\tCONNECTED\tROOMS", rows)
		},
	}
	whom.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 0, "the most sockets (default: all)")
	return cmd
}

func newDisconnectCommand(to *target) *cobra.Command {
	var whom selection
	var everybody, whole bool
	cmd := &cobra.Command{
		Use: "disconnect", Short: "Disconnect sockets", Args: cobra.NoArgs,
		Example: "  siren ctl disconnect --user ann\n  siren ctl disconnect --room old-version --close",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !everybody && len(whom.rooms)+len(whom.users) == 0 {
				return errors.New("say who: --room, --user, or --all for everybody in the namespace")
			}
			body := whom.body()
			body["close"] = whole
			var done struct{ Count int }
			answer, err := to.call(cmd.Context(), "disconnect", body, &done)
			if err != nil {
				return err
			}
			return to.tell(cmd.OutOrStdout(), answer, fmt.Sprintf("%d sockets disconnected", done.Count))
		},
	}
	whom.add(cmd)
	cmd.Flags().BoolVar(&everybody, "all", false, "everybody in the namespace")
	cmd.Flags().BoolVar(&whole, "close", false, "close the clients' connections, not only their sockets of the namespace")
	return cmd
}

func newReloadCommand(to *target) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Have the node read its configuration again", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done struct{ Changed, Restart, Overridden []string }
			answer, err := to.call(cmd.Context(), "reload", struct{}{}, &done)
			if err != nil {
				return err
			}
			lines := []string{}
			for _, l := range []struct {
				what string
				keys []string
			}{{"changed", done.Changed}, {"needs a restart", done.Restart}, {"set by a flag or the environment", done.Overridden}} {
				if len(l.keys) > 0 {
					lines = append(lines, l.what+": "+strings.Join(l.keys, ", "))
				}
			}
			if len(lines) == 0 {
				lines = append(lines, "nothing has changed")
			}
			return to.tell(cmd.OutOrStdout(), answer, strings.Join(lines, "\n"))
		},
	}
}

func newStatsCommand(to *target) *cobra.Command {
	return &cobra.Command{
		Use: "stats", Short: "Show numbers about the node", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s nodeStats
			answer, err := to.call(cmd.Context(), "stats", struct{}{}, &s)
			if err != nil {
				return err
			}
			if to.json {
				return to.tell(cmd.OutOrStdout(), answer, "")
			}
			return s.print(cmd.OutOrStdout())
		},
	}
}

// nodeStats is the part of the call stats that people are shown.
type nodeStats struct {
	Version, Go, Node string
	Draining          bool
	UptimeSeconds     float64 `json:"uptime_seconds"`
	MemoryBytes       int64   `json:"memory_bytes"`
	Connections       struct{ WebSocket, Polling int }
	Sockets, Rooms    map[string]int
	Rates             map[string]map[string]float64
	Dropped, Refused  map[string]uint64
	Loops             []struct {
		Loop, Mailbox, Connections int
		LagSeconds                 float64 `json:"lag_seconds"`
	}
	TopRooms []struct {
		Namespace, Name string
		Sockets         int
	} `json:"top_rooms"`
}

// print prints the numbers, a group at a time.
func (s *nodeStats) print(out io.Writer) error {
	state := "serves"
	if s.Draining {
		state = "drains"
	}
	_, err := fmt.Fprintf(out, "siren %s (%s) on %s %s for %s with %d MiB\n\n", s.Version, s.Go, printable(s.Node), state,
		time.Duration(s.UptimeSeconds*float64(time.Second)).Round(time.Second), s.MemoryBytes>>20)
	groups := []struct {
		head string
		rows []string
	}{
		{"CONNECTIONS\t", []string{fmt.Sprintf("websocket\t%d", s.Connections.WebSocket), fmt.Sprintf("polling\t%d", s.Connections.Polling)}},
		{"NAMESPACE\tSOCKETS\tROOMS", nil}, {"A SECOND, OVER\t1s\t10s\t60s", nil}, {"LOOP\tCONNECTIONS\tMAILBOX\tLAG", nil},
		{"LARGEST ROOMS\tSOCKETS", nil}, {"DROPPED\t", counts(s.Dropped)}, {"REFUSED\t", counts(s.Refused)},
	}
	for _, ns := range slices.Sorted(maps.Keys(s.Sockets)) {
		groups[1].rows = append(groups[1].rows, fmt.Sprintf("%s\t%d\t%d", printable(ns), s.Sockets[ns], s.Rooms[ns]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Rates["1s"])) {
		groups[2].rows = append(groups[2].rows, fmt.Sprintf("%s\t%.0f\t%.0f\t%.0f", strings.ReplaceAll(name, "_", " "),
			s.Rates["1s"][name], s.Rates["10s"][name], s.Rates["60s"][name]))
	}
	for _, l := range s.Loops {
		lag := time.Duration(l.LagSeconds * float64(time.Second)).Round(10 * time.Microsecond)
		groups[3].rows = append(groups[3].rows, fmt.Sprintf("%d\t%d\t%d\t%v", l.Loop, l.Connections, l.Mailbox, lag))
	}
	for _, r := range s.TopRooms {
		groups[4].rows = append(groups[4].rows, fmt.Sprintf("%s %s\t%d", printable(r.Namespace), printable(r.Name), r.Sockets))
	}
	for i, g := range groups {
		if len(g.rows) == 0 {
			continue
		}
		if i > 0 {
			_, _ = fmt.Fprintln(out)
		}
		err = errors.Join(err, table(out, g.head, g.rows))
	}
	return err
}

// counts are rows of what is not zero.
func counts(by map[string]uint64) (rows []string) {
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if by[name] > 0 {
			rows = append(rows, fmt.Sprintf("%s\t%d", strings.ReplaceAll(name, "_", " "), by[name]))
		}
	}
	return rows
}
