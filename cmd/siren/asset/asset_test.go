package asset

import (
	"strings"
	"testing"
)

// The policy must not have what makes it worthless.
func TestSecurityPolicy(t *testing.T) {
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'none'"} {
		if !strings.Contains(SecurityPolicy, part+";") {
			t.Errorf("no %s", part)
		}
	}
	for _, part := range []string{"unsafe", "*", "http", "data:", "blob:"} {
		if strings.Contains(SecurityPolicy, part) {
			t.Errorf("the policy has %s", part)
		}
	}
}
