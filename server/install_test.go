package server_test

import (
	"archive/zip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

const modulePath = "github.com/seed58c87869/siren"

// moduleProxy makes a module proxy out of files, which has this module at its version.
func moduleProxy(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir, version := t.TempDir(), "v"+server.Version
	versions := filepath.Join(dir, modulePath, "@v")
	if err := os.MkdirAll(versions, 0o700); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	folder{
		"list": version + "\n", version + ".mod": string(mod),
		version + ".info": fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version),
	}.write(t, versions)
	out, err := os.Create(filepath.Join(versions, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(out)
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "bin" || name == "dist" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() && name != "." && onDisk(filepath.Join(path, "go.mod")):
			return filepath.SkipDir // a module of its own
		case name == ".git", !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		w, err := z.Create(modulePath + "@" + version + "/" + filepath.ToSlash(name))
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return "file://" + dir
}

func onDisk(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// section returns the text of a page from a heading to the next one.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(page, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("there is no %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// Somebody with Go and an empty folder installs the command and uses the package by the lines of the README and of the
// tutorial. The module comes from a proxy, as from the public one, and what it needs from the cache.
func TestInstallFromAnEmptyFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command")
	}
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	home, bin := t.TempDir(), t.TempDir()
	env := append(os.Environ(),
		"GOPROXY="+moduleProxy(t)+",file://"+strings.TrimSpace(string(cache))+"/cache/download",
		"GOMODCACHE="+t.TempDir(), "GOBIN="+bin, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"GOFLAGS=-trimpath -modcacherw", "GOSUMDB=off", "GOWORK=off", "CGO_ENABLED=0")
	shell := func(dir, script string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", script)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	lines := func(text string) string {
		m := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(text)
		if m == nil {
			t.Fatal("there are no lines for a shell")
		}
		return m[1]
	}
	pages := documents(t)

	try := lines(section(t, pages["README.md"], "## Try it"))
	install, ok := strings.CutSuffix(try, "\nsiren serve\n")
	if !ok {
		t.Fatalf("siren serve is not the last line of %q", try)
	}
	shell(home, install)
	if out := shell(home, "siren version"); !strings.HasPrefix(out, "siren "+server.Version+" (") {
		t.Errorf("the installed command says %q", out)
	}

	chat := filepath.Join(home, "program")
	use := section(t, pages["README.md"], "## A package for your Go program")
	files := folder{}
	if err := files.read(use); err != nil {
		t.Fatal(err)
	}
	files.write(t, chat)
	shell(chat, regexp.MustCompile("`(go mod init [^`]+)`").FindStringSubmatch(use)[1]+"\n"+lines(use)+"go build -o program .")

	part := pages["docs/tutorial/1-server-and-client.md"]
	shell(home, lines(part))
	if err := files.read(part); err != nil {
		t.Fatal(err)
	}
	files.write(t, filepath.Join(home, "chat"))
	shell(filepath.Join(home, "chat"), "go build -o program .")
}
