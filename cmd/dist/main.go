// Command dist packs built binaries of siren for a release: an archive for each system with the licence, the manual page,
// completions and the files for deployment, a software bill of materials for each binary, and the checksums of all. `make
// dist` builds the binaries and calls it. The same binaries make the same files: times are those of the commit.
//
//	dist -out dist -files dist/build/files dist/build/linux_amd64/siren dist/build/linux_arm64/siren
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed58c87869/siren/server"
)

func main() {
	out := flag.String("out", "dist", "`directory` that gets the files of the release")
	files := flag.String("files", "", "`directory` whose files go into each archive")
	flag.Parse()
	if err := run(*out, *files, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// run packs the binaries.
func run(out, files string, binaries []string) error {
	if len(binaries) == 0 {
		return fmt.Errorf("no binaries to pack")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var made []string
	for _, binary := range binaries {
		names, err := pack(out, files, binary)
		if err != nil {
			return fmt.Errorf("%s: %w", binary, err)
		}
		made = append(made, names...)
	}
	return writeSums(out, made)
}

// pack makes the archive and the bill of materials of one binary, and returns their names.
func pack(out, files, binary string) ([]string, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	set := settings(info)
	when, err := commitTime(set)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("siren_%s_%s_%s", server.Version, set["GOOS"], set["GOARCH"])
	bill, err := newBill(info, set, when)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(bill, "", "  ")
	if err != nil {
		return nil, err
	}
	text = append(text, '\n')
	bom := name + ".cdx.json"
	if err := os.WriteFile(filepath.Join(out, bom), text, 0o644); err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "siren-dist")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	licenses := filepath.Join(scratch, "licenses")
	if err := writeLicenses(licenses, info); err != nil {
		return nil, err
	}
	entries := []entry{
		{from: binary, name: name + "/siren", mode: 0o755},
		{from: licenses, name: name + "/LICENSES-OF-OTHERS", mode: 0o644},
	}
	if files != "" {
		more, err := walk(files, name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, more...)
	}
	archive := name + ".tar.gz"
	return []string{archive, bom}, writeArchive(filepath.Join(out, archive), entries, when)
}

// settings are those of the build, by name.
func settings(info *buildinfo.BuildInfo) map[string]string {
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	return set
}

// commitTime is the time that all files of a release have: the commit's, or the beginning of 1970 if the sources were not
// in a repository.
func commitTime(set map[string]string) (time.Time, error) {
	if set["vcs.time"] == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	return time.Parse(time.RFC3339, set["vcs.time"])
}

// writeSums writes SHA256SUMS, as sha256sum -c reads it.
func writeSums(out string, names []string) error {
	var b strings.Builder
	slices.Sort(names)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(text), name)
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(b.String()), 0o644)
}
