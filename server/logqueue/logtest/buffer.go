// Package logtest collects logs for tests.
package logtest

import (
	"strings"
	"sync"
)

// Buffer is an io.Writer that keeps the text of a log, for a slog.TextHandler or slog.JSONHandler. The zero value is
// empty and ready. Safe for concurrent use.
type Buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns everything that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
