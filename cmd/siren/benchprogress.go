package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/bench"
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
	from     int64     // what was counted when the phase began
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

// count takes a phase that counts something.
func (p *progressLine) count(phase string, done, total int) {
	p.update(bench.Progress{Phase: phase, Done: done, Total: total, Count: int64(done)})
}

// update takes what a run reports.
func (p *progressLine) update(r bench.Progress) {
	fresh := r.Phase != p.phase
	wait := plainEvery
	if p.terminal {
		wait = barEvery
	}
	now := p.now()
	if !fresh && now.Sub(p.last) < wait {
		return
	}
	if fresh {
		p.begun, p.from = now, r.Count
	}
	p.phase, p.last = r.Phase, now
	text := describe(r, now.Sub(p.begun), r.Count-p.from)
	if !p.terminal {
		_, _ = fmt.Fprintf(p.out, "%s\n", text)
		return
	}
	filled := barWidth
	if r.Total > 0 {
		filled = barWidth * min(r.Done, r.Total) / r.Total
	}
	_, _ = fmt.Fprintf(p.out, "%s[%s%s] %s%s", startOfLine, strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled),
		text, clearToEnd)
	p.shown = true
}

// describe words the progress of a phase that has taken so long and counted so many: its name with the round, how far
// it is, what was counted, at which rate, and the time left.
func describe(r bench.Progress, taken time.Duration, counted int64) string {
	millis := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	text := r.Phase + ": "
	if r.Timed {
		text += fmt.Sprintf("%v of %v", millis(r.Done).Round(time.Second), millis(r.Total).Round(time.Second))
	} else {
		text += fmt.Sprintf("%d of %d", r.Done, r.Total)
		if r.Unit != "" {
			text += " " + r.Unit
		}
	}
	if r.Detail != "" {
		text += ", " + r.Detail
	}
	if r.Timed && r.Unit != "" {
		text += fmt.Sprintf(", %d %s", r.Count, r.Unit)
	}
	if taken >= time.Second && counted > 0 {
		text += fmt.Sprintf(", %.0f/s", float64(counted)/taken.Seconds())
	}
	if r.Timed {
		if left := millis(r.Total - r.Done).Round(time.Second); left > 0 && r.Done > 0 {
			text += fmt.Sprintf(", %v left", left)
		}
		return text
	}
	return text + timeLeft(taken, r.Done, r.Total)
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
		_, _ = fmt.Fprint(p.out, startOfLine+clearToEnd)
		p.shown = false
	}
}
