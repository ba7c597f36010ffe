package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server"
)

// shortCommit is how many characters of a commit people are shown.
const shortCommit = 12

// buildInfo is what this binary was built from. Everything in it follows from the sources and the toolchain, so two
// builds of one commit say the same: the date is the commit's. Immutable.
type buildInfo struct {
	// Version is server.Version, the one place that has it.
	Version string `json:"version"`
	// Commit is the revision of the sources, "" if they were not in a repository.
	Commit string `json:"commit,omitempty"`
	// CommitDate is the time of that commit, RFC 3339 in UTC.
	CommitDate string `json:"commit_date,omitempty"`
	// Modified is set when files differed from the commit.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	// EngineIO and SocketIO are the protocol revisions that it serves, the current one first. The others need
	// engine.allow_eio3.
	EngineIO []int `json:"engineio_protocols"`
	SocketIO []int `json:"socketio_protocols"`
}

// thisBuild returns the information that the toolchain has put into the binary.
func thisBuild() buildInfo {
	b := buildInfo{
		Version: server.Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		EngineIO: []int{eio.Protocol, eio.Protocol3}, SocketIO: []int{sio.Protocol, sio.Protocol4},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.CommitDate = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String returns the line for people.
func (b buildInfo) String() string {
	commit := ""
	if b.Commit != "" {
		commit = "commit " + b.Commit[:min(shortCommit, len(b.Commit))]
		if b.Modified {
			commit += " with changes"
		}
		commit += ", "
	}
	return fmt.Sprintf("siren %s (%s%s, %s/%s, Engine.IO %d, Socket.IO %d)",
		b.Version, commit, b.Go, b.OS, b.Arch, b.EngineIO[0], b.SocketIO[0])
}

// newVersionCommand prints what was built from which sources with what.
func newVersionCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit, and the protocols",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return writeVersion(cmd.OutOrStdout(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	return cmd
}

func writeVersion(out io.Writer, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintln(out, thisBuild())
		return err
	}
	text, err := json.MarshalIndent(thisBuild(), "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}
