package session

import "testing"

// S40: who passes when origins are enforced.
func TestOriginAllowed(t *testing.T) {
	cors := CORS{Origins: []string{"https://app.example", "http://localhost:8080"}, Enforce: true, SameHost: true}
	same := cors.table()
	cors.SameHost = false
	listed := cors.table()
	for _, c := range []struct {
		origin, host   string
		listed, asHost bool
	}{
		{"", "node.example", true, true},
		{"https://app.example", "node.example", true, true},
		{"http://localhost:8080", "node.example", true, true},
		{"http://node.example", "node.example", false, true},
		{"https://NODE.example:3000", "node.example:3000", false, true},
		{"https://node.example", "node.example:3000", false, false},
		{"https://app.example.evil.example", "node.example", false, false},
		{"http://app.example", "node.example", false, false},
		{"https://app.example:444", "node.example", false, false},
		{"null", "node.example", false, false},
		{"null", "", false, false},
		{"https://", "", false, false},
		{"*", "node.example", false, false},
	} {
		if got := listed.allowed([]byte(c.origin), []byte(c.host)); got != c.listed {
			t.Errorf("origin %q, host %q: %v, want %v", c.origin, c.host, got, c.listed)
		}
		if got := same.allowed([]byte(c.origin), []byte(c.host)); got != c.asHost {
			t.Errorf("same host, origin %q, host %q: %v, want %v", c.origin, c.host, got, c.asHost)
		}
	}
}
