package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	barWidth    = 30
	barEvery    = 100 * time.Millisecond
	plainEvery  = 10 * time.Second // between two lines of a phase that goes on
	clearToEnd  = "\x1b[K"
	startOfLine = "\r"
)

// progressLine tells how far a run is: as a bar that moves on a terminal, as
// lines elsewhere. It belongs to one goroutine.
type progressLine struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	phase    string
	begun    time.Time // of the phase
	last     time.Time
	shown    bool // a bar is on the line
}

// newProgressLine writes to out, with bars if that is a terminal.
func newProgressLine(out io.Writer) *progressLine {
	p := &progressLine{out: out, now: time.Now}
	if f, ok := out.(*os.File); ok {
		_, err := unix.IoctlGetTermios(int(f.Fd()), getTermios)
		p.terminal = err == nil
	}
	return p
}

// update takes what a run reports.
func (p *progressLine) update(phase string, done, total int) {
	fresh := phase != p.phase
	wait := plainEvery
	if p.terminal {
		wait = barEvery
	}
	now := p.now()
	if !fresh && now.Sub(p.last) < wait {
		return
	}
	if fresh {
		p.begun = now
	}
	p.phase, p.last = phase, now
	if !p.terminal {
		fmt.Fprintf(p.out, "%s: %d of %d\n", phase, done, total)
		return
	}
	filled := barWidth
	if total > 0 {
		filled = barWidth * min(done, total) / total
	}
	fmt.Fprintf(p.out, "%s[%s%s] %s: %d of %d%s%s", startOfLine, strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled),
		phase, done, total, timeLeft(now.Sub(p.begun), done, total), clearToEnd)
	p.shown = true
}

// timeLeft estimates from the time that a phase has taken when it ends. It is empty as long as that says little.
func timeLeft(taken time.Duration, done, total int) string {
	if taken < time.Second || done <= 0 || done >= total {
		return ""
	}
	left := time.Duration(float64(taken) / float64(done) * float64(total-done))
	return fmt.Sprintf(", %v left", left.Round(time.Second))
}

// end clears the line.
func (p *progressLine) end() {
	if p.shown {
		fmt.Fprint(p.out, startOfLine+clearToEnd)
		p.shown = false
	}
}
