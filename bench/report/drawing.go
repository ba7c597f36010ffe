package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sizes of a drawing in its own units. It is shown about as wide as a phone,
// so that its text needs no zooming there.
const (
	drawingWidth = 360
	marginLeft   = 46
	marginRight  = 14
	marginTop    = 10
	marginBottom = 36
	charWidth    = 6.3 // an average character at the size of the labels
)

// seriesMax is the number of colours, dashes and markers.
const seriesMax = 6

// px is a length; it prints with one decimal.
type px float64

// String implements fmt.Stringer.
func (p px) String() string {
	return strings.TrimSuffix(strconv.FormatFloat(float64(p), 'f', 1, 64), ".0")
}

// shape is one element of a drawing. Path is set for paths, Text for text, and
// neither for rectangles.
type shape struct {
	Class      string
	X, Y, W, H px
	Path       string
	Text       string
	Anchor     string // of text: start, middle or end
}

// drawing is a picture that the page's template turns into SVG.
type drawing struct {
	ID            string // unique on the page
	Title, Desc   string
	Width, Height px
	Shapes        []shape
}

func (d *drawing) rect(class string, x, y, w, h float64) {
	d.Shapes = append(d.Shapes, shape{Class: class, X: px(x), Y: px(y), W: px(w), H: px(h)})
}

func (d *drawing) text(class, anchor string, x, y float64, text string) {
	d.Shapes = append(d.Shapes, shape{Class: class, X: px(x), Y: px(y), Text: text, Anchor: anchor})
}

func (d *drawing) path(class, path string) {
	if path != "" {
		d.Shapes = append(d.Shapes, shape{Class: class, Path: path})
	}
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	d.path(class, move(x1, y1)+to(x2, y2))
}

// move and to are commands of a path.
func move(x, y float64) string { return "M" + px(x).String() + " " + px(y).String() }
func to(x, y float64) string   { return "L" + px(x).String() + " " + px(y).String() }

// series returns the class of the n-th series: colour and dash.
func series(n int) string { return "s" + strconv.Itoa(n%seriesMax) }

// markerSize is half the width of a marker.
const markerSize = 3.4

// marker returns the path of the n-th series' mark; the shapes differ, so that
// nobody has to tell colours apart.
func marker(n int, x, y float64) string {
	const m = markerSize
	switch n % seriesMax {
	case 0:
		return circle(m, x, y)
	case 1: // square
		return move(x-m, y-m) + to(x+m, y-m) + to(x+m, y+m) + to(x-m, y+m) + "Z"
	case 2: // triangle
		return move(x, y-m-1) + to(x+m+1, y+m) + to(x-m-1, y+m) + "Z"
	case 3: // diamond
		return move(x, y-m-1.4) + to(x+m+1.4, y) + to(x, y+m+1.4) + to(x-m-1.4, y) + "Z"
	case 4: // triangle upside down
		return move(x, y+m+1) + to(x+m+1, y-m) + to(x-m-1, y-m) + "Z"
	default: // hourglass
		return move(x-m, y-m) + to(x+m, y-m) + to(x-m, y+m) + to(x+m, y+m) + "Z"
	}
}

// circle returns a path around x, y.
func circle(radius, x, y float64) string {
	r, wide := px(radius).String(), px(2*radius).String()
	arc := "a" + r + " " + r + " 0 1 0 "
	return move(x-radius, y) + arc + wide + " 0" + arc + "-" + wide + " 0Z"
}

// fit shortens text to what fits into a width.
func fit(text string, width float64) string {
	room := max(int(width/charWidth), 1)
	if utf8.RuneCountInString(text) <= room {
		return text
	}
	return string([]rune(text)[:room-1]) + "…"
}
