package bench

import "testing"

// Sessions that a server refuses for a moment are opened again, as long as the configuration says so. The publisher's
// failure ends the run in any case.
func TestRunRetriesConnects(t *testing.T) {
	for _, tc := range []struct {
		name   string
		retry  bool
		admit  func(n int) bool
		failed int
	}{
		{"every third is refused once", true, func(n int) bool { return n%3 != 2 }, 0},
		{"the same without", false, func(n int) bool { return n%3 != 2 }, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fakeServer{admit: tc.admit}
			cfg := small(f.start(t))
			cfg.Retry = tc.retry
			result := measure(t, cfg)
			c := result.Connects[0]
			if c.Failed != tc.failed || c.Connected != cfg.Subscribers-tc.failed || (c.Retried > 0) != tc.retry {
				t.Errorf("%+v", c)
			}
			if tc.retry {
				wantClean(t, result)
			}
		})
	}
	t.Run("publisher", func(t *testing.T) {
		f := &fakeServer{admit: func(int) bool { return false }}
		cfg := small(f.start(t))
		cfg.Retry = true
		if _, err := Run(t.Context(), cfg); err == nil {
			t.Error("the publisher was refused, and the run went on")
		}
	})
}
