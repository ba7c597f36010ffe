package node

import (
	"testing"

	"github.com/seed58c87869/siren/server"
)

// BenchmarkReadPublication reads what most clients publish.
func BenchmarkReadPublication(b *testing.B) {
	in := server.Raw{JSON: []byte(`{"room":"lobby","event":"chat","data":{"text":"hello","from":"me"}}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readPublication(in); err != nil {
			b.Fatal(err)
		}
	}
}
