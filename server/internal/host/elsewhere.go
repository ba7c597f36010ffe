package host

import (
	"context"
	"io"
	"net/http"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// SetElsewhere sets who answers polling requests of sessions that this Host does not have, see session.Elsewhere. Their
// answers are bounded by Config.MaxResponse. The Host must be running.
func (h *Host) SetElsewhere(fn func(ctx context.Context, request []byte) (*http.Response, error)) error {
	_, engine := h.Running()
	switch {
	case engine == nil:
		return ErrNotRunning
	case fn == nil:
		engine.SetElsewhere(nil)
		return nil
	}
	engine.SetElsewhere(func(ctx context.Context, request []byte) (*httpwire.Response, error) {
		r, err := fn(ctx, request)
		if err != nil {
			return nil, err
		}
		defer r.Body.Close()
		body, err := io.ReadAll(io.LimitReader(r.Body, int64(h.cfg.MaxResponse)))
		if err != nil {
			return nil, err
		}
		out := &httpwire.Response{Status: r.StatusCode, ContentType: r.Header.Get("Content-Type"), Body: body, Close: r.Close}
		for name, values := range r.Header {
			switch name {
			case "Content-Type", "Content-Length", "Connection", "Date", "Keep-Alive":
				continue
			}
			for _, v := range values {
				out.Header = append(out.Header, name, v)
			}
		}
		return out, nil
	})
	return nil
}
