package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ErrProfile is wrapped by the errors of Read and Load.
var ErrProfile = errors.New("invalid profile")

// problems is the list of what is wrong with a profile: one line each, with the place.
type problems []string

func (p problems) Error() string { return strings.Join(p, "\n") }

// Unwrap makes every list an ErrProfile.
func (p problems) Unwrap() error { return ErrProfile }

// Load reads a profile from a file. Names of files in it are relative to its directory.
func Load(name string) (*Profile, error) {
	text, err := readFile(name, fileMax)
	if err != nil {
		return nil, err
	}
	return Read(name, text)
}

// readFile reads a file of limited size.
func readFile(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return text, err
}

// Read reads a profile. name stands in front of errors, and names of files are relative to its directory.
func Read(name string, text []byte) (*Profile, error) {
	p := &Profile{name: name, dir: filepath.Dir(name)}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, problems{name + ": " + strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if len(root.Content) == 0 {
		return nil, problems{name + ": the profile is empty; siren bench init writes one"}
	}
	p.lines = linesOf(root.Content[0])
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(p); err != nil {
		return nil, decodeProblems(name, err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, problems{name + ": a second document; a profile is a single one"}
	}
	p.fill()
	if found := p.check(); len(found) > 0 {
		return nil, found
	}
	return p, nil
}

// The errors of the YAML library.
var (
	unknownKey = regexp.MustCompile(`^line (\d+): field (.+) not found in type profile\.(\w+)$`)
	wrongType  = regexp.MustCompile("^line (\\d+): cannot unmarshal (!!\\w+) (?:`(.*)` )?into (.+)$")
	otherLine  = regexp.MustCompile(`^line (\d+): (.+)$`)
)

// decodeProblems words the errors of the YAML library.
func decodeProblems(name string, err error) problems {
	var several *yaml.TypeError
	if !errors.As(err, &several) {
		return problems{name + ": " + strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	var list problems
	for _, text := range several.Errors {
		switch {
		case unknownKey.MatchString(text):
			m := unknownKey.FindStringSubmatch(text)
			text = fmt.Sprintf("%s:%s: unknown key %q; known here: %s", name, m[1], m[2], strings.Join(keysOf(m[3]), ", "))
		case wrongType.MatchString(text):
			m := wrongType.FindStringSubmatch(text)
			text = fmt.Sprintf("%s:%s: want %s, not %s", name, m[1], kindOf(m[4]), found(m[2], m[3]))
		case otherLine.MatchString(text):
			m := otherLine.FindStringSubmatch(text)
			text = fmt.Sprintf("%s:%s: %s", name, m[1], m[2])
		default:
			text = name + ": " + text
		}
		list = append(list, text)
	}
	return list
}

// structs are the types whose keys errors list.
var structs = []reflect.Type{
	reflect.TypeFor[Profile](), reflect.TypeFor[Connect](), reflect.TypeFor[TLS](), reflect.TypeFor[Join](),
	reflect.TypeFor[Publish](), reflect.TypeFor[HTTP](), reflect.TypeFor[Expect](), reflect.TypeFor[Stage](),
}

// keysOf returns the keys of a type by its name.
func keysOf(name string) (keys []string) {
	for _, t := range structs {
		if t.Name() != name {
			continue
		}
		for i := range t.NumField() {
			if key := t.Field(i).Tag.Get("yaml"); key != "" {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// kindOf words a Go type for users.
func kindOf(name string) string {
	switch {
	case name == "time.Duration":
		return "a duration such as 10s"
	case name == "int":
		return "a whole number"
	case name == "bool":
		return "true or false"
	case name == "string":
		return "a text"
	case strings.HasPrefix(name, "[]"):
		return "a list"
	}
	return "a mapping"
}

// found words what stands in the file.
func found(tag, text string) string {
	if text != "" {
		return strconv.Quote(text)
	}
	switch tag {
	case "!!seq":
		return "a list"
	case "!!map":
		return "a mapping"
	}
	return "this"
}

// lines has the line of each key, by its path, such as "connect.tls.ca_file" or "stages[1]".
type lines map[string]int

// linesOf walks over the file. A key that an alias repeats has the line of its anchor.
func linesOf(root *yaml.Node) lines {
	l := lines{}
	l.walk(root, "", 0)
	return l
}

// depthMax bounds the walk; an anchor may contain an alias to itself.
const depthMax = 20

func (l lines) walk(n *yaml.Node, at string, depth int) {
	if depth > depthMax || n == nil {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			inner := n.Content[i].Value
			if at != "" {
				inner = at + "." + inner
			}
			l[inner] = n.Content[i].Line
			l.walk(n.Content[i+1], inner, depth+1)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			inner := at + "[" + strconv.Itoa(i) + "]"
			l[inner] = item.Line
			l.walk(item, inner, depth+1)
		}
	case yaml.AliasNode:
		l.walk(n.Alias, at, depth+1)
	}
}

// of returns the line of a key, or of the nearest one around it; 0 if there is none.
func (l lines) of(at string) int {
	for at != "" {
		if line, ok := l[at]; ok {
			return line
		}
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
	}
	return 0
}

// Rate is a number of events a second.
type Rate float64

// rateUnits are the times that a rate may count for.
var rateUnits = map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour}

// UnmarshalYAML reads 50, 50/s, 300/m or 1000/h.
func (r *Rate) UnmarshalYAML(n *yaml.Node) error {
	number, unit, _ := strings.Cut(n.Value, "/")
	per, known := rateUnits[strings.TrimSpace(unit)]
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if n.Kind != yaml.ScalarNode || !known || err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: want a rate such as 50/s or 300/m, not %q", n.Line, n.Value)}}
	}
	*r = Rate(value / per.Seconds())
	return nil
}

// sorted returns the keys of a map in order.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
