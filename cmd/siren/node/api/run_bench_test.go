package api

import (
	"context"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// BenchmarkRun measures a call of 100 events without HTTP.
func BenchmarkRun(b *testing.B) {
	srv, err := server.New(server.Config{Loops: 2})
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := Config{Server: srv}.settle()
	if err != nil {
		b.Fatal(err)
	}
	a := &API{cfg: cfg, reserved: map[string]bool{}}
	one := `{"rooms":["nobody"],"event":"tick","args":[7,1234,{"price":"12.50","time":1700000000}]}`
	body := []byte(`{"emits":[` + strings.TrimSuffix(strings.Repeat(one+",", 100), ",") + `]}`)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		r, p := decode(body, setOf(fieldEmits), setOf(fieldEmits))
		if p != nil {
			b.Fatal(p)
		}
		x := &exchange{request: r, ctx: context.Background(), index: -1, out: out[:0]}
		if err := a.batch(x); err != nil {
			b.Fatal(err)
		}
		out = x.out
	}
}
