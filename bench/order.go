package bench

import "github.com/HdrHistogram/hdrhistogram-go"

// duty is the behaviour of the sessions of one stage, besides Config; a plain value, sent between processes.
type duty struct {
	// Join makes sessions join the room "all" before they are ready.
	Join bool `json:"join"`
	// Park keeps a GET of a polling session waiting at the server.
	Park bool `json:"park"`
	// Players is the number of sessions that play together in a room, 0 if none do.
	Players int `json:"players"`
	// Raw means that the server is a floor, which parses nothing.
	Raw bool `json:"raw"`
}

// verb names an order to a crew.
type verb string

const (
	doOpen     verb = "open"     // start sessions
	doBegin    verb = "begin"    // begin a window
	doCollect  verb = "collect"  // end it, and report it
	doPublish  verb = "publish"  // have the publisher ask for a burst
	doProgress verb = "progress" // report how far the work is, which must be quick
	doCount    verb = "count"    // report all counts
	doEcho     verb = "echo"     // start a load of echoes
	doGame     verb = "game"     // start a load of games
	doUpgrade  verb = "upgrade"  // upgrade all polling sessions
	doCut      verb = "cut"      // reset all connections and open them again
	doFreeze   verb = "freeze"   // slow sessions stop reading
	doThaw     verb = "thaw"     // slow sessions go on
	doLeave    verb = "leave"    // end all sessions
)

// order is one request to a crew; a plain value that travels between processes.
type order struct {
	Do verb `json:"do"`
	// Sessions to open, Slow of which are going to stop reading.
	Sessions  int  `json:"sessions,omitempty"`
	Slow      int  `json:"slow,omitempty"`
	Publisher bool `json:"publisher,omitempty"`
	// Window is what to count from now on.
	Window windowKind `json:"window,omitempty"`
	// Since is the clock time at which the window's work began. Early reports whether the window ended before it.
	Since int64     `json:"since,omitempty"`
	Early bool      `json:"early,omitempty"`
	Echo  *echoPlan `json:"echo,omitempty"`
	Game  *gamePlan `json:"game,omitempty"`
	// InFlight bounds the upgrades of one worker.
	InFlight int `json:"in_flight,omitempty"`
}

// report is the answer to an order; a plain value, sent between processes. Failures count since the crew began.
type report struct {
	Err      string         `json:"err,omitempty"`
	Progress progress       `json:"progress"`
	Count    int            `json:"count,omitempty"` // of what the order affected
	Lost     int            `json:"lost,omitempty"`
	Retried  int            `json:"retried,omitempty"`
	Stray    uint64         `json:"stray,omitempty"`
	Failures map[string]int `json:"failures,omitempty"`
	Window   *window        `json:"window,omitempty"`
}

// window has one crew's counts between doBegin and doCollect. Times are clock times, which all processes of a machine
// share.
type window struct {
	Receivers   int    `json:"receivers"`
	Expected    uint64 `json:"expected"`
	Delivered   uint64 `json:"delivered"`
	OverPolling uint64 `json:"over_polling"`
	Missing     uint64 `json:"missing"`
	Outstanding uint64 `json:"outstanding"`
	Duplicated  uint64 `json:"duplicated"`
	Reordered   uint64 `json:"reordered"`
	Malformed   uint64 `json:"malformed"`
	Skewed      uint64 `json:"skewed"`
	Example     string `json:"example,omitempty"`
	// InBurst is how many upgrades were done while ticks were coming, Done and
	// Failed how many there were since the crew began.
	InBurst int `json:"in_burst"`
	Done    int `json:"upgrades_done"`
	Failed  int `json:"upgrades_failed"`
	// Latency and Lag are histograms of ns in the encoding of HdrHistogram.
	Latency    []byte `json:"latency"`
	Lag        []byte `json:"lag"`
	LatencyMax int64  `json:"latency_max"`
	LagMax     int64  `json:"lag_max"`
	// Last is the time of the last delivery, 0 when there was none.
	Last int64 `json:"last"`
	// Busy is that of the busiest worker, 0 to 1.
	Busy float64 `json:"busy"`
}

// add merges the window of a worker or another crew, except the histograms.
func (v *window) add(o *window) {
	v.Receivers += o.Receivers
	v.Expected += o.Expected
	v.Delivered += o.Delivered
	v.OverPolling += o.OverPolling
	v.Missing += o.Missing
	v.Outstanding += o.Outstanding
	v.Duplicated += o.Duplicated
	v.Reordered += o.Reordered
	v.Malformed += o.Malformed
	v.Skewed += o.Skewed
	v.InBurst += o.InBurst
	v.Done += o.Done
	v.Failed += o.Failed
	if v.Example == "" {
		v.Example = o.Example
	}
	v.LatencyMax = max(v.LatencyMax, o.LatencyMax)
	v.LagMax = max(v.LagMax, o.LagMax)
	v.Last = max(v.Last, o.Last)
	v.Busy = max(v.Busy, o.Busy)
}

// add sums the reports of several crews; windows are kept apart.
func (r *report) add(o report) {
	r.Progress = r.Progress.add(o.Progress)
	r.Count += o.Count
	r.Lost += o.Lost
	r.Retried += o.Retried
	r.Stray += o.Stray
	for reason, n := range o.Failures {
		if r.Failures == nil {
			r.Failures = make(map[string]int)
		}
		r.Failures[reason] += n
	}
}

// encodeHistogram packs a histogram for another process.
func encodeHistogram(h *hdrhistogram.Histogram) ([]byte, error) {
	return h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

// mergeHistogram adds a packed histogram.
func mergeHistogram(to *hdrhistogram.Histogram, packed []byte) error {
	if len(packed) == 0 {
		return nil
	}
	h, err := hdrhistogram.Decode(packed)
	if err != nil {
		return err
	}
	to.Merge(h)
	return nil
}
