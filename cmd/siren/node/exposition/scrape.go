package exposition

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/valyala/bytebufferpool"
	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

const (
	// scrapesMax bounds the scrapes that are answered at once: each holds a text of up to some megabytes until its client
	// has read it, or admin's write time-out is over. Prometheus makes one at a time.
	scrapesMax = 8
	// busyFor is when a client may come again that is one too many.
	busyFor = 5 * time.Second
)

// Results of scrapes.
const (
	scrapeOK     = "ok"
	scrapeFailed = "failed" // a collector failed: some metrics are missing
	scrapeCut    = "cut"    // the client did not read the answer
	scrapeBusy   = "busy"
)

// Route is /metrics.
func (e *Exposition) Route() admin.Route {
	return admin.Route{Name: "metrics", Path: "/metrics", Open: true, Handler: e.serve}
}

func (e *Exposition) serve(ctx *fasthttp.RequestCtx, caller admin.Caller) {
	select {
	case e.places <- struct{}{}:
	default:
		e.scrapes.WithLabelValues(scrapeBusy).Inc()
		admin.Refuse(ctx, &problem.Problem{Code: problem.Overloaded, Detail: "too many scrapes are under way", RetryAfter: busyFor})
		return
	}
	a := &answer{e: e, address: caller.Address, buf: bytebufferpool.Get()}
	format, err := a.encode(string(ctx.Request.Header.Peek(fasthttp.HeaderAccept)))
	if err != nil {
		e.scrapes.WithLabelValues(scrapeFailed).Inc()
		e.log.Error("metrics could not be collected", "err", err)
		if a.buf.Len() == 0 {
			a.free()
			admin.Refuse(ctx, problem.New(problem.Internal, "the log says why"))
			return
		}
	}
	h := &ctx.Response.Header
	ctx.SetContentType(string(format))
	h.Set(fasthttp.HeaderCacheControl, "no-store")
	h.Add(fasthttp.HeaderVary, fasthttp.HeaderAcceptEncoding)
	if ctx.Request.Header.HasAcceptEncoding("gzip") {
		a.pack()
		h.Set(fasthttp.HeaderContentEncoding, "gzip")
	}
	a.rest = bytes.NewReader(a.buf.B)
	if ctx.IsHead() {
		defer a.free()
		ctx.Response.SkipBody = true
		h.SetContentLength(a.buf.Len())
		return
	}
	ctx.SetBodyStream(a, a.buf.Len())
}

// answer is the text of a scrape while its client reads it. It belongs to the goroutine of its connection.
type answer struct {
	e       *Exposition
	address string
	buf     *bytebufferpool.ByteBuffer
	rest    *bytes.Reader
}

// encode writes all metrics in a format that the client accepts. After an error those are there that could be collected.
func (a *answer) encode(accept string) (expfmt.Format, error) {
	families, err := a.e.registry.Gather()
	format := expfmt.NegotiateIncludingOpenMetrics(http.Header{"Accept": {accept}})
	enc := expfmt.NewEncoder(a.buf, format)
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return format, err
		}
	}
	if end, ok := enc.(expfmt.Closer); ok {
		if err := end.Close(); err != nil {
			return format, err
		}
	}
	return format, err
}

// pack compresses the text.
func (a *answer) pack() {
	packed := bytebufferpool.Get()
	packed.B = fasthttp.AppendGzipBytesLevel(packed.B, a.buf.B, fasthttp.CompressBestSpeed)
	bytebufferpool.Put(a.buf)
	a.buf = packed
}

// Read implements io.Reader.
func (a *answer) Read(p []byte) (int, error) { return a.rest.Read(p) }

// WriteTo implements io.WriterTo.
func (a *answer) WriteTo(w io.Writer) (int64, error) { return a.rest.WriteTo(w) }

// CloseWithError implements fasthttp.ReadCloserWithError. It is called when the answer was written, or could not be.
func (a *answer) CloseWithError(err error) error {
	if err != nil || a.rest.Len() > 0 {
		a.e.scrapes.WithLabelValues(scrapeCut).Inc()
		a.e.log.Warn("a scrape was cut: its client did not read the metrics", "addr", a.address, "unread", a.rest.Len())
	} else {
		a.e.scrapes.WithLabelValues(scrapeOK).Inc()
	}
	a.free()
	return nil
}

func (a *answer) free() {
	bytebufferpool.Put(a.buf)
	<-a.e.places
}
