package deflate

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"sync"
	"testing"
)

// The choice is that of the reference server: accepts(req).encodings(["gzip", "deflate"]).
func TestAcceptEncoding(t *testing.T) {
	for header, want := range map[string]Coding{
		"":                                Identity,
		"identity":                        Identity,
		"br, zstd":                        Identity,
		"gzip":                            Gzip,
		"GZip":                            Gzip,
		"deflate":                         Deflate,
		"gzip, deflate, br":               Gzip,
		"deflate, gzip":                   Deflate,
		"deflate;q=0.5, gzip;q=0.9":       Gzip,
		"gzip;q=0.2, deflate;q=0.9":       Deflate,
		"gzip;q=0, deflate":               Deflate,
		"gzip;q=0":                        Identity,
		"gzip;q=0, deflate;q=0":           Identity,
		"*":                               Gzip,
		"*;q=0":                           Identity,
		"*;q=0, gzip":                     Gzip,
		"*, gzip;q=0":                     Deflate,
		"deflate, *":                      Deflate,
		"deflate;q=0.5, *":                Gzip,
		"identity;q=1, gzip;q=0.5":        Gzip,
		"gzip ; q = 0.5 , deflate ; q=.6": Deflate,
		"gzip;q=x":                        Identity,
		"gzip;q=NaN":                      Identity,
		"gzip;q=-1":                       Identity,
		"gzip;level=1;q=0":                Identity,
		"gzip;q=0, gzip":                  Gzip,
		"gzip, gzip;q=0":                  Gzip,
		// Of two mentions the one with the greater weight counts, of equal ones the later.
		"gzip;q=0.5, deflate;q=0.7, gzip":       Gzip,
		"gzip, deflate;q=0.7, gzip;q=0.5":       Gzip,
		"deflate;q=0.5, gzip;q=0.7, deflate":    Deflate,
		"gzip, deflate, gzip":                   Deflate,
		"deflate, gzip, deflate":                Gzip,
		"gzip;q=0.5, deflate;q=0.5, gzip;q=0.5": Deflate,
		",,;;=,gzip":                            Gzip,
		"xgzip":                                 Identity,
	} {
		if got := AcceptEncoding([]byte(header)); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}

func FuzzAcceptEncoding(f *testing.F) {
	f.Add("gzip;q=0.5, deflate, *;q=0")
	f.Fuzz(func(t *testing.T, header string) {
		c := AcceptEncoding([]byte(header))
		if c != Identity && !strings.Contains(strings.ToLower(header), c.String()) && !strings.Contains(header, "*") {
			t.Fatalf("%v out of nothing", c)
		}
		// A coding that the last element refuses cannot be chosen.
		for _, c := range []Coding{Gzip, Deflate} {
			if AcceptEncoding([]byte(c.String()+";q=0")) != Identity {
				t.Fatal(c)
			}
		}
	})
}

// The standard library can read the compressed bodies, also when several goroutines compress at once.
func TestBody(t *testing.T) {
	bodies := [][]byte{nil, []byte("x"), sample(1000), sample(300_000)}
	c := NewBodyCompressor(0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, body := range bodies {
				for _, coding := range []Coding{Identity, Gzip, Deflate} {
					out := c.Append([]byte("head"), body, coding)
					if got := decode(t, coding, out[4:]); !bytes.Equal(got, body) || string(out[:4]) != "head" {
						t.Errorf("%v of %d bytes: %d come back", coding, len(body), len(got))
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(c.Append(nil, bodies[2], Gzip)); n >= len(bodies[2])/2 {
		t.Errorf("1000 bytes became %d", n)
	}
}

func decode(t *testing.T, coding Coding, data []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(data)
	var err error
	switch coding {
	case Gzip:
		r, err = gzip.NewReader(r)
	case Deflate:
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return out
}
