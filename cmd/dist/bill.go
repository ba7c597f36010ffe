package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed58c87869/siren/server"
)

// bill is a software bill of materials: CycloneDX 1.6, as JSON. It is read from the binary, so it has what is linked, and
// nothing that only tests or other systems need. https://cyclonedx.org/docs/1.6/json/
type bill struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string     `json:"timestamp"`
	Component component  `json:"component"`
	Property  []property `json:"properties,omitempty"`
}

type component struct {
	Type     string     `json:"type"`
	Ref      string     `json:"bom-ref"`
	Name     string     `json:"name"`
	Version  string     `json:"version"`
	Scope    string     `json:"scope,omitempty"`
	PURL     string     `json:"purl"`
	Licenses []license  `json:"licenses,omitempty"`
	Property []property `json:"properties,omitempty"`
}

type license struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn"`
}

// newBill describes a binary. The serial number is a name-based UUID of what it describes, so that the same binary has the
// same bill.
func newBill(info *buildinfo.BuildInfo, set map[string]string, when time.Time) (*bill, error) {
	purl := func(path, version string) string { return "pkg:golang/" + path + "@" + version }
	root := component{
		Type: "application", Name: "siren", Version: server.Version, Licenses: []license{{}},
		PURL: purl(info.Main.Path, "v"+server.Version) + "?goos=" + set["GOOS"] + "&goarch=" + set["GOARCH"],
	}
	root.Ref, root.Licenses[0].License.ID = root.PURL, "MIT"
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	parts := []component{{Type: "library", Name: "std", Version: goVersion, PURL: purl("std", goVersion), Scope: "required"}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			return nil, fmt.Errorf("module %s is replaced: a release has published modules alone", m.Path)
		}
		parts = append(parts, component{
			Type: "library", Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version), Scope: "required",
			// The checksum of go.sum, which is of the module's tree and so no hash of a file.
			Property: []property{{"go:sum", m.Sum}},
		})
	}
	b := &bill{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{Timestamp: when.UTC().Format(time.RFC3339), Component: root},
	}
	for _, key := range []string{"vcs.revision", "vcs.modified", "GOOS", "GOARCH", "CGO_ENABLED", "-trimpath"} {
		if set[key] != "" {
			b.Metadata.Property = append(b.Metadata.Property, property{"go:" + key, set[key]})
		}
	}
	slices.SortFunc(parts, func(x, y component) int { return strings.Compare(x.PURL, y.PURL) })
	all := dependency{Ref: root.Ref}
	for i := range parts {
		parts[i].Ref = parts[i].PURL
		all.DependsOn = append(all.DependsOn, parts[i].Ref)
	}
	b.Components, b.Dependencies = parts, []dependency{all}
	b.Serial = serial(info.String() + server.Version)
	return b, nil
}

// serial is a UUID of version 8 (RFC 9562, section 5.8) with the beginning of the text's hash.
func serial(text string) string {
	h := sha256.Sum256([]byte(text))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
