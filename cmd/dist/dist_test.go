package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// packSelf packs the test's own binary, which has build information as every Go binary has.
func packSelf(t *testing.T) (out, name string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files, out := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{"LICENSE": "MIT License", "man/siren.1": ".TH", "deploy/siren.service": "[Unit]"} {
		path := filepath.Join(files, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(out, files, []string{self}); err != nil {
		t.Fatal(err)
	}
	return out, fmt.Sprintf("siren_%s_%s_%s", server.Version, runtime.GOOS, runtime.GOARCH)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Two releases of the same binaries are the same, byte by byte, and the checksums are those of sha256sum.
func TestReleaseIsReproducible(t *testing.T) {
	first, name := packSelf(t)
	second, _ := packSelf(t)
	sums := ""
	for _, file := range []string{name + ".cdx.json", name + ".tar.gz"} {
		text := read(t, filepath.Join(first, file))
		if string(text) != string(read(t, filepath.Join(second, file))) {
			t.Errorf("%s differs", file)
		}
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(text), file)
	}
	if got := string(read(t, filepath.Join(first, "SHA256SUMS"))); got != sums {
		t.Errorf("got\n%s, want\n%s", got, sums)
	}
}

// An archive has one directory with the binary, which may be executed, the licences of what is linked into it, and the
// other files. All belong to root.
func TestArchive(t *testing.T) {
	out, name := packSelf(t)
	file, err := os.Open(filepath.Join(out, name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	licenses := ""
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %o %s", h.Name, h.Mode, h.Uname))
		if h.Name == name+"/LICENSES-OF-OTHERS" {
			text, _ := io.ReadAll(archive)
			licenses = string(text)
		}
	}
	want := fmt.Sprintf("%[1]s/siren 755 root\n%[1]s/LICENSES-OF-OTHERS 644 root\n%[1]s/LICENSE 644 root\n%[1]s/deploy/siren.service 644 root\n%[1]s/man/siren.1 644 root", name)
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s, want\n%s", strings.Join(got, "\n"), want)
	}
	info, _ := debug.ReadBuildInfo()
	works := []string{"the Go standard library " + runtime.Version()}
	for _, m := range info.Deps {
		works = append(works, m.Path+" "+m.Version)
	}
	for _, work := range works {
		_, text, _ := strings.Cut(licenses, "\n"+work+", ")
		_, text, _ = strings.Cut(text, "\n"+rule+"\n")
		text, _, _ = strings.Cut(text, "\n"+rule+"\n")
		if lower := strings.ToLower(text); !strings.Contains(lower, "copyright") || !strings.Contains(lower, "warrant") || len(text) < 800 {
			t.Errorf("the licence of %s is %q", work, text)
		}
	}
}

// The bill of materials has every module of the binary with its checksum, the toolchain, and the licence.
func TestBill(t *testing.T) {
	out, name := packSelf(t)
	var b bill
	if err := json.Unmarshal(read(t, filepath.Join(out, name+".cdx.json")), &b); err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	root := b.Metadata.Component
	if b.Format != "CycloneDX" || b.SpecVersion != "1.6" || b.Version != 1 || !uuid.MatchString(b.Serial) {
		t.Errorf("got %+v", b)
	}
	if root.Name != "siren" || root.Version != server.Version || root.Licenses[0].License.ID != "MIT" {
		t.Errorf("got %+v", root)
	}
	if _, err := time.Parse(time.RFC3339, b.Metadata.Timestamp); err != nil {
		t.Error(err)
	}
	have := map[string]component{}
	for _, c := range b.Components {
		if c.Ref != c.PURL || have[c.Ref].Ref != "" {
			t.Errorf("got %+v", c)
		}
		have[c.Ref] = c
	}
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		c := have["pkg:golang/"+m.Path+"@"+m.Version]
		if c.Name != m.Path || c.Version != m.Version || len(c.Property) != 1 || c.Property[0].Value != m.Sum || m.Sum == "" {
			t.Errorf("%s: got %+v", m.Path, c)
		}
	}
	if len(have) != len(info.Deps)+1 || have["pkg:golang/std@"+strings.TrimPrefix(runtime.Version(), "go")].Name != "std" {
		t.Errorf("%d components for %d modules and the toolchain", len(have), len(info.Deps))
	}
	if d := b.Dependencies; len(d) != 1 || d[0].Ref != root.Ref || len(d[0].DependsOn) != len(b.Components) {
		t.Errorf("got %+v", d)
	}
}

// What is no binary of Go has no bill, and nothing to pack is a mistake.
func TestRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no binary"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, binaries := range [][]string{nil, {text}, {"/nowhere/siren"}} {
		if err := run(t.TempDir(), "", binaries); err == nil {
			t.Errorf("%v is no error", binaries)
		}
	}
}
