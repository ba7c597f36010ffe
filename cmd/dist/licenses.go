package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// licenseFile matches the names of files that a module's licence asks to pass on.
var licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)(\.(md|txt))?$`)

// writeLicenses writes what the licences of the toolchain's library and of all modules in the binary ask to be passed on
// with it. The texts come from the module cache, which has exactly what was linked.
func writeLicenses(file string, info *buildinfo.BuildInfo) error {
	var b strings.Builder
	b.WriteString("Siren is linked with the works below. Their licences, as their authors wrote them:\n")
	if err := addLicenses(&b, "the Go standard library", runtime.Version(), runtime.GOROOT()); err != nil {
		return err
	}
	for _, m := range info.Deps {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", m.Path).Output()
		if err != nil {
			return fmt.Errorf("go list %s: %w", m.Path, err)
		}
		if err := addLicenses(&b, m.Path, m.Version, strings.TrimSpace(string(dir))); err != nil {
			return err
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// rule is the line around the name of a work.
var rule = strings.Repeat("=", 100)

// addLicenses adds the files of one work. A work without any cannot be in a release.
func addLicenses(b *strings.Builder, name, version, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !licenseFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(b, "\n\n%s\n%s %s, %s\n%s\n\n%s", rule, name, version, e.Name(), rule, text)
	}
	if !found {
		return fmt.Errorf("%s %s has no licence in %s", name, version, dir)
	}
	return nil
}
