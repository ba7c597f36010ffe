package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/bench"
)

// element is a node of the page.
type element struct {
	name     string
	attrs    map[string]string
	text     string
	children []*element
}

// all calls visit for the element and everything in it.
func (e *element) all(visit func(*element)) {
	visit(e)
	for _, c := range e.children {
		c.all(visit)
	}
}

// content returns the text of an element with that of everything in it.
func (e *element) content() string {
	var text strings.Builder
	e.all(func(n *element) { text.WriteString(n.text + " ") })
	return text.String()
}

// find returns the elements with this name.
func (e *element) find(name string) []*element {
	var out []*element
	e.all(func(n *element) {
		if n.name == name {
			out = append(out, n)
		}
	})
	return out
}

// parse reads the page, which is well-formed XML as well.
func parse(t *testing.T, page []byte) *element {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(page))
	root := &element{}
	stack := []*element{root}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, page)
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(token)
		}
	}
}

// elementsAllowed is all that the page may consist of: nothing that runs or
// loads something.
var elementsAllowed = strings.Fields(`html head meta title style body main header section aside h1 h2 h3 h4 p ul li b span small
	div figure figcaption details summary table caption thead tbody tr th td pre dl dt dd svg path text rect desc`)

// pathData is what a path may contain.
var pathData = regexp.MustCompile(`^(?:[MLa]-?[0-9.]+(?: -?[0-9.]+)*|Z)+$`)

// checkPage looks at what every page must be.
func checkPage(t *testing.T, page []byte) *element {
	t.Helper()
	if !bytes.HasPrefix(page, []byte("<!DOCTYPE html>\n")) {
		t.Error("no document type")
	}
	// What html/template writes when something does not fit.
	if bytes.Contains(page, []byte("ZgotmplZ")) || bytes.Contains(page, []byte("<no value>")) || bytes.Contains(page, []byte("%!")) && bytes.Contains(page, []byte("(BADINDEX)")) {
		t.Error("the template went wrong")
	}
	root := parse(t, page)
	ids := map[string]*element{}
	root.all(func(e *element) {
		if e.name != "" && !strings.Contains(" "+strings.Join(elementsAllowed, " ")+" ", " "+e.name+" ") {
			t.Errorf("element <%s>", e.name)
		}
		for name, value := range e.attrs {
			switch {
			case name == "href", name == "src", name == "style", strings.HasPrefix(name, "on"):
				t.Errorf("<%s %s=%q>", e.name, name, value)
			case name == "id":
				if ids[value] != nil {
					t.Errorf("id %q twice", value)
				}
				ids[value] = e
			case name == "d" && !pathData.MatchString(value):
				t.Errorf("path %q", value)
			}
		}
		for _, name := range []string{"x", "y", "width", "height"} {
			if v, ok := e.attrs[name]; ok {
				n, err := strconv.ParseFloat(v, 64)
				if err != nil || !isFinite(n) || n < 0 {
					t.Errorf("<%s %s=%q>", e.name, name, v)
				}
			}
		}
	})
	for _, svg := range root.find("svg") {
		if svg.attrs["aria-hidden"] == "true" {
			continue
		}
		labels := strings.Fields(svg.attrs["aria-labelledby"])
		if svg.attrs["role"] != "img" || len(labels) != 2 || ids[labels[0]] == nil || ids[labels[1]] == nil ||
			ids[labels[0]].name != "title" || ids[labels[1]].name != "desc" {
			t.Errorf("a plot without title or description: %v", svg.attrs)
		}
	}
	return root
}

func pageOf(t *testing.T, results ...bench.Result) *element {
	t.Helper()
	var page bytes.Buffer
	if err := WriteHTML(&page, results); err != nil {
		t.Fatal(err)
	}
	return checkPage(t, page.Bytes())
}

func TestPage(t *testing.T) {
	root := pageOf(t, sample())
	text := root.content()
	for _, want := range []string{
		"THE CLIENT IS THE BOTTLENECK in 1 of 2 bursts", "a note", "complete, without faults", "http://127.0.0.1:3000",
		"siren bench fanout --url http://127.0.0.1:3000 --transport websocket", "amd64", "6.1", "go1.26",
		"echo rate", "0.25", "latency percentiles", "us, logarithmic", "over time", "by size", "2026-01-02 03:04:05 UTC",
		"Zero throughout, and not drawn: faults, machine used by others, failed and lost connections",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	metrics := metricsOf(new(sample()))
	if rows := len(root.find("tr")); rows < len(metrics) {
		t.Errorf("%d rows for %d metrics", rows, len(metrics))
	}
	for _, f := range root.find("figure") {
		if len(f.find("svg")) == 0 || len(f.find("figcaption")) != 1 || strings.TrimSpace(f.find("desc")[0].text) == "" {
			t.Errorf("a figure without plot, title or description: %q", f.content())
		}
	}
}

func TestFloorCurveSharesThePlot(t *testing.T) {
	r := sample()
	floor := r.Curves[0]
	floor.Name, floor.Y = floor.Name+floorSuffix, "bare rate"
	r.Curves = append(r.Curves, floor)
	figures, _ := figuresOf([]run{newRun(r)}, []string{""})
	for _, f := range figures {
		if f.Title == "over time" && len(f.Legend) == 2 && f.Legend[1].Label == "floor" && len(f.Curves) == 2 {
			return
		}
	}
	t.Errorf("%+v", figures)
}

func TestPercentileFamilies(t *testing.T) {
	var metrics []metric
	for _, name := range []string{"t p99 of all", "t p50", "t max", "t p9.5", "t p50 of all", "p1", "max", "a top"} {
		metrics = append(metrics, metric{name: name, value: 1})
	}
	runs := []run{{metrics: metrics}}
	names := metricNames(runs)
	for name, want := range map[string]string{"t p50": "t p9.5,t p50,t max", "t max": "t p9.5,t p50,t max", "t p50 of all": "", "p1": "", "a top": ""} {
		if got := strings.Join(percentileFamily(name, names, runs), ","); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPageStandsAlone(t *testing.T) {
	var page bytes.Buffer
	if err := WriteHTML(&page, []bench.Result{sample()}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "@import", "url(", "<link", "<img", "<iframe", "javascript:"} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	for _, want := range []string{
		`content="default-src &#39;none&#39;`, `lang="en"`, `name="viewport"`, "prefers-color-scheme: dark", "@media print",
	} {
		if !strings.Contains(strings.ReplaceAll(page.String(), `"default-src 'none'`, `"default-src &#39;none&#39;`), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if !strings.HasPrefix(strings.TrimSpace(styleText), "/*") || !strings.Contains(page.String(), strings.TrimSpace(styleText)[len(styleText)/2:]) {
		t.Error("the style sheet is not on the page as it is")
	}
}

func TestPageOfManyRuns(t *testing.T) {
	var results []bench.Result
	for i := range drawnMax + 3 {
		r := sample()
		r.Bursts[1] = r.Bursts[0]
		r.Scenario.Subscribers = 100 * (i + 1)
		results = append(results, r)
	}
	results[1].Machine.CPUs = 8
	root := pageOf(t, results...)
	text := root.content()
	for _, want := range []string{"15 runs of 1 scenario", "THE MACHINES DIFFER in cpus", "A subscribers 100", "L subscribers 1200", "Run O", "3 more are in the table only"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(text, "M subscribers 1300:") {
		t.Error("more was drawn than is readable")
	}
}

func TestPageEscapes(t *testing.T) {
	evil := `</style></title></script><script>alert(1)</script><img src=x onerror=alert(1)>"'&` + "\x00\x1b]]>"
	r := sample()
	r.Scenario.URL, r.Scenario.Target, r.Scenario.Transport = evil, evil, bench.Transport(evil)
	r.Machine.Kernel, r.Partial, r.Notes = evil, evil, []string{evil}
	r.Metrics = append(r.Metrics, bench.Metric{Name: evil, Unit: evil, Value: 1, Better: evil}, bench.Metric{Name: evil + " p50", Value: 1},
		bench.Metric{Name: evil + " p90", Value: 2}, bench.Metric{Name: evil + " p99", Value: 3})
	r.Curves = append(r.Curves, bench.Curve{Name: evil, X: evil, XUnit: evil, Y: evil, YUnit: evil, Points: [][2]float64{{1, 1}}})
	var page bytes.Buffer
	if err := WriteHTML(&page, []bench.Result{r, sample()}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "<script") || strings.Contains(page.String(), "<img") {
		t.Error("the page runs what a result says")
	}
	checkPage(t, page.Bytes())
}

func TestPageOfOddNumbers(t *testing.T) {
	odd := []float64{0, -1, 5e-324, math.MaxFloat64, -math.MaxFloat64, math.NaN(), math.Inf(1), 1e15}
	for _, v := range odd {
		for _, w := range odd {
			r := sample()
			r.Bursts, r.Connects, r.Memory = nil, nil, nil
			r.Metrics = []bench.Metric{{Name: "m", Value: v, Samples: []float64{v, w}, Floor: w}}
			for i, p := range []string{"p50", "p90", "max"} {
				r.Metrics = append(r.Metrics, bench.Metric{Name: "t " + p, Value: v, Samples: []float64{v, w}[:1+i%2]})
			}
			for _, x := range []string{"time", "percentile"} {
				r.Curves = append(r.Curves, bench.Curve{Name: x, X: x, Points: [][2]float64{{v, w}, {w, v}, {1, 1}}})
			}
			pageOf(t, r)
			if t.Failed() {
				t.Fatalf("with %v and %v", v, w)
			}
		}
	}
}

func TestPageOfNothing(t *testing.T) {
	if text := pageOf(t).content(); !strings.Contains(text, "No results") {
		t.Error(text)
	}
	pageOf(t, bench.Result{})
}

func TestWriteHTMLError(t *testing.T) {
	full := errors.New("disk full")
	if err := WriteHTML(failing{full}, nil); !errors.Is(err, full) {
		t.Error(err)
	}
}

// The colours must be told from the ground, in both modes: 4.5 to 1 for text,
// 3 to 1 for graphics (WCAG 2.2, 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	light, dark, found := strings.Cut(styleText, "@media screen")
	if !found {
		t.Fatal("no dark mode")
	}
	variable := regexp.MustCompile(`--([a-z0-9-]+): (#[0-9a-f]{6});`)
	for mode, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range variable.FindAllStringSubmatch(css, -1) {
			if _, ok := colours[m[1]]; !ok {
				colours[m[1]] = m[2]
			}
		}
		check := func(front, back string, least float64) {
			if colours[front] == "" || colours[back] == "" {
				t.Errorf("%s: no %s or %s", mode, front, back)
			} else if c := contrast(colours[front], colours[back]); c < least {
				t.Errorf("%s: %s on %s has a contrast of %.2f", mode, front, back, c)
			}
		}
		for _, back := range []string{"ground", "panel"} {
			for _, text := range []string{"ink", "soft", "good", "bad"} {
				check(text, back, 4.5)
			}
		}
		check("ink", "bad-ground", 4.5)
		check("bad", "bad-ground", 4.5)
		check("ink", "note-ground", 4.5)
		for i := range seriesMax {
			check(fmt.Sprintf("s%d", i), "panel", 3)
		}
	}
}

// contrast of two colours as WCAG 2.2 defines it.
func contrast(a, b string) float64 {
	luminance := func(colour string) float64 {
		n, _ := strconv.ParseUint(colour[1:], 16, 32)
		channel := func(shift int) float64 {
			c := float64(n>>shift&0xff) / 255
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
	}
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}
