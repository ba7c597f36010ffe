package httpwire

import "testing"

func benchmarkParse(b *testing.B, stream string, step int) {
	var p Parser
	var r Request
	buf, lim := []byte(stream), &Limits{}
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		for have := step; have < len(buf); have += step {
			if n, err := p.Parse(buf[:have], lim, &r); n != 0 || err != nil {
				b.Fatal(n, err)
			}
		}
		if n, err := p.Parse(buf, lim, &r); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkParsePollingGET(b *testing.B)  { benchmarkParse(b, pollingGET, len(pollingGET)) }
func BenchmarkParsePollingPOST(b *testing.B) { benchmarkParse(b, pollingPOST, len(pollingPOST)) }
func BenchmarkParseUpgradeGET(b *testing.B)  { benchmarkParse(b, upgradeGET, len(upgradeGET)) }
func BenchmarkParseByteByByte(b *testing.B)  { benchmarkParse(b, pollingPOST, 1) }

func BenchmarkParseChunked(b *testing.B) {
	stream := chunkedHead
	for range 64 {
		stream += "100\r\n" + string(make([]byte, 256)) + "\r\n"
	}
	stream += "0\r\n\r\n"
	var p Parser
	var r Request
	buf := make([]byte, len(stream))
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		copy(buf, stream) // decoding changes it
		if n, err := p.Parse(buf, nil, &r); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkQueryGet(b *testing.B) {
	query := []byte("EIO=4&transport=polling&t=PbK2z0a&sid=lv_VI97HAXpY6yYWAAAC")
	b.ReportAllocs()
	for b.Loop() {
		if v, ok := QueryGet(query, "sid"); !ok || len(v) != 20 {
			b.Fatal(v)
		}
	}
}

func BenchmarkAppendResponse(b *testing.B) {
	r := Response{Status: 200, ContentType: "text/plain; charset=UTF-8", Body: make([]byte, 100),
		Header: []string{"Access-Control-Allow-Origin", "*", "Cache-Control", "no-store"}}
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendResponse(dst[:0], &r)
	}
}
