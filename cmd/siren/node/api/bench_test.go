package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// BenchmarkEmit and BenchmarkBatch measure one event of a call over a real connection, to an empty room, all of the
// client's and the listener's work included.
func BenchmarkEmit(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			n := start(b, []string{"a key for the benchmark"}, nil)
			one := `{"rooms":["nobody"],"event":"tick","args":[{"price":"12.50","time":1700000000}]}`
			call, body := "emit", one
			if size > 1 {
				call, body = "emit/batch", `{"emits":[`+strings.TrimSuffix(strings.Repeat(one+",", size), ",")+`]}`
			}
			b.ReportAllocs()
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				c := &fasthttp.HostClient{Addr: strings.TrimPrefix(n.url, "http://")}
				req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
				req.SetRequestURI(n.url + "/api/" + call)
				req.Header.SetMethod("POST")
				req.Header.SetContentType("application/json")
				req.Header.Set("Authorization", "Bearer "+n.key)
				req.SetBodyString(body)
				for more := true; more; {
					for range size {
						more = pb.Next()
					}
					if err := c.Do(req, resp); err != nil || resp.StatusCode() != 200 {
						b.Error(err, resp.StatusCode())
						return
					}
				}
				c.CloseIdleConnections()
			})
		})
	}
}

// BenchmarkDecode measures the decoder alone.
func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"rooms":["nobody"],"event":"tick","args":[{"price":"12.50","time":1700000000}]}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r, p := decode(body, emitFields, emitRequired)
		if p != nil {
			b.Fatal(p)
		}
		if _, _, p := arguments(r.args); p != nil {
			b.Fatal(p)
		}
	}
}
