package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/bench"
)

// Every event that the API takes comes to every subscriber, once and in order.
func TestBenchAPI(t *testing.T) {
	o := startOperated(t, "127.0.0.1:0")
	clients := "http://" + o.srv.Addr().String()
	for _, args := range [][]string{
		{"--subscribers", "0"}, {"--subscribers", "3", "--connections", "4"}, {"--subscribers", "2", "--batch", "50"},
	} {
		args = append([]string{"bench", "api", "--json", "--duration", "200ms", "--clients", clients}, args...)
		code, out, errs := o.run(args...)
		var r bench.APIResult
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
			t.Fatalf("%q: exit %d, %v, %s %s", args, code, err, out, errs)
		}
		if !r.OK || r.Emits == 0 || r.Deliveries != r.Emits*int64(r.Subscribers) || r.Missing+r.Wrong != 0 || r.Microseconds.P50 == 0 {
			t.Errorf("%q: %+v", args, r)
		}
	}
	o.want("API +.*events +.*a second\nrequest +.*\nnode's CPU +.*\n.*", "bench", "api", "--duration", "50ms")
	o.fails("must be greater than zero", "bench", "api", "--batch", "0")
	code, _, errs := command(t, "bench", "api", "--duration", "50ms", "--url", clients, "--subscribers", "1", "--clients", clients)
	if code != 1 || !strings.Contains(errs, "unexpected answer of the API: HTTP/1.1 404") {
		t.Error(code, errs)
	}
	code, out, _ := command(t, "bench", "api", "--url", o.url, "--api-key", "wrong", "--duration", "50ms", "--json")
	var r bench.APIResult
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 || r.OK || len(r.Problems) == 0 {
		t.Errorf("exit %d, %s, %v", code, out, err)
	}
}
