package node

import "testing"

// Only an explicit list of origins restricts the pages that may connect.
func TestOriginsAllowed(t *testing.T) {
	for _, c := range []struct {
		origins []string
		listed  bool
	}{
		{nil, false},
		{[]string{"*"}, false},
		{[]string{"https://app.example"}, true},
	} {
		cors := originsAllowed(c.origins)
		if len(cors.Origins) != len(c.origins) || cors.Enforce != c.listed || cors.SameHost != c.listed || cors.Credentials != c.listed {
			t.Errorf("%v: %+v", c.origins, cors)
		}
	}
}
