package main

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// copySources copies what a build needs into a new directory, without the repository.
func copySources(t *testing.T) string {
	t.Helper()
	root, dir := filepath.Join("..", ".."), t.TempDir()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "bin" || name == "dist" || name == "e2e"):
			return filepath.SkipDir
		case name == ".git": // of a work tree: it leads to the repository, which a test must not touch
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, name), 0o755)
		case !d.Type().IsRegular() || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// `make install` makes the same binary from the same sources, wherever they are: static, stripped, without paths of the
// machine. The second build finds the packages in the cache, for which the directory must make no difference.
func TestBuildIsReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary twice")
	}
	var sums [2][sha256.Size]byte
	for i := range sums {
		dir := copySources(t)
		cmd := exec.Command("make", "-s", "-C", dir, "install", "DESTDIR="+dir, "PREFIX=/usr")
		cmd.Env = append(os.Environ(), "GOFLAGS=", "MAKEFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		name := filepath.Join(dir, "usr", "bin", "siren")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(text)
		if i > 0 {
			continue
		}
		checkStatic(t, name)
		for _, file := range []string{
			"man/man1/siren.1", "bash-completion/completions/siren", "zsh/site-functions/_siren", "fish/vendor_completions.d/siren.fish",
		} {
			if text, err := os.ReadFile(filepath.Join(dir, "usr/share", file)); err != nil || !bytes.Contains(text, []byte("siren")) {
				t.Errorf("%s: %v", file, err)
			}
		}
		home, _ := os.UserHomeDir()
		for _, path := range []string{dir, home + "/go/", os.Getenv("GOMODCACHE")} {
			if path != "" && bytes.Contains(text, []byte(path)) {
				t.Errorf("the binary has the path %s", path)
			}
		}
		version, err := exec.Command(name, "version").Output()
		if err != nil || !strings.HasPrefix(string(version), "siren ") {
			t.Errorf("%v: %s", err, version)
		}
	}
	if sums[0] != sums[1] {
		t.Error("two builds of the same sources differ")
	}
}

// A binary that is built in a repository tells its commit, also where the environment asks the toolchain not to.
func TestBuildTellsTheCommit(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := copySources(t)
	cmd := exec.Command("sh", "-c", `git init -q . && git add -A && git -c user.name=a -c user.email=a@a.example commit -q -m x &&
		make -s siren && git rev-parse --short=12 HEAD && bin/siren version`)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "MAKEFLAGS=", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	commit, version, _ := strings.Cut(string(out), "\n")
	if !strings.Contains(version, "(commit "+commit+", ") {
		t.Errorf("commit %s, version %s", commit, version)
	}
}

// checkStatic checks that a binary asks for no libraries and has no symbols.
func checkStatic(t *testing.T, name string) {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary is linked dynamically: %v", p.Type)
		}
	}
	if f.Section(".symtab") != nil || f.Section(".debug_info") != nil {
		t.Error("the binary is not stripped")
	}
}
