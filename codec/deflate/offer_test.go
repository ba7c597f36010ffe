package deflate

import (
	"errors"
	"strings"
	"testing"
)

// Every parameter of RFC 7692 section 7.1, with the options of each side.
func TestAccept(t *testing.T) {
	both := Options{ServerTakeover: true, ClientTakeover: true}
	none := Options{}
	for _, tc := range []struct {
		name, header string
		opts         Options
		want         string // the answer; "" declines
	}{
		{"nothing", "", none, ""},
		{"other", "x-webkit-deflate-frame, permessage-bzip2; level=1", none, ""},
		{"bare", "permessage-deflate", none, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"bare, with takeover", "permessage-deflate", both, "permessage-deflate"},
		{"browser", "permessage-deflate; client_max_window_bits", none, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"declined takeovers", "permessage-deflate; server_no_context_takeover; client_no_context_takeover", both,
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"server declines one", "permessage-deflate", Options{ClientTakeover: true}, "permessage-deflate; server_no_context_takeover"},
		{"windows", "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9", both,
			"permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"},
		{"largest window is confirmed", "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15", both,
			"permessage-deflate; server_max_window_bits=15"},
		{"smallest", "permessage-deflate;server_max_window_bits=8;client_max_window_bits=8", both,
			"permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"},
		{"server's own window", "permessage-deflate", Options{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 12},
			"permessage-deflate; server_max_window_bits=12"},
		{"the smaller window counts", "permessage-deflate; server_max_window_bits=14", Options{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 12},
			"permessage-deflate; server_max_window_bits=12"},
		{"client's window is limited", "permessage-deflate; client_max_window_bits", Options{ServerTakeover: true, ClientTakeover: true, ClientWindowBits: 11},
			"permessage-deflate; client_max_window_bits=11"},
		{"client cannot be limited", "permessage-deflate", Options{ServerTakeover: true, ClientTakeover: true, ClientWindowBits: 11},
			"permessage-deflate; client_no_context_takeover"},
		{"no need to limit", "permessage-deflate; client_max_window_bits", Options{ServerTakeover: true, ClientWindowBits: 11},
			"permessage-deflate; client_no_context_takeover"},
		{"impossible options", "permessage-deflate", Options{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 7, ClientWindowBits: 16}, "permessage-deflate"},
		{"quoted", `permessage-deflate; server_max_window_bits="10"`, both, "permessage-deflate; server_max_window_bits=10"},
		{"escaped", `permessage-deflate; server_max_window_bits="\1\0"`, both, "permessage-deflate; server_max_window_bits=10"},
		{"white space", "\t permessage-deflate\t;  server_max_window_bits = 10 \t", both, "permessage-deflate; server_max_window_bits=10"},
		{"empty elements", ",, permessage-deflate ,,", both, "permessage-deflate"},

		{"unknown parameter", "permessage-deflate; mode=fast", both, ""},
		{"repeated", "permessage-deflate; server_no_context_takeover; server_no_context_takeover", both, ""},
		{"repeated size", "permessage-deflate; client_max_window_bits; client_max_window_bits=10", both, ""},
		{"value where none may be", "permessage-deflate; client_no_context_takeover=1", both, ""},
		{"no value", "permessage-deflate; server_max_window_bits", both, ""},
		{"too small", "permessage-deflate; server_max_window_bits=7", both, ""},
		{"too large", "permessage-deflate; client_max_window_bits=16", both, ""},
		{"leading zero", "permessage-deflate; client_max_window_bits=08", both, ""},
		{"no number", "permessage-deflate; client_max_window_bits=ten", both, ""},
		{"signed", "permessage-deflate; client_max_window_bits=+9", both, ""},
		{"long", "permessage-deflate; client_max_window_bits=" + strings.Repeat("1", 1000), both, ""},
		{"parameter's case", "permessage-deflate; Server_Max_Window_Bits=10", both, ""},

		{"second offer", "permessage-deflate; server_max_window_bits=7, permessage-deflate; client_max_window_bits=9", both,
			"permessage-deflate; client_max_window_bits=9"},
		{"first offer", "permessage-deflate; server_max_window_bits=9, permessage-deflate", both, "permessage-deflate; server_max_window_bits=9"},
		{"behind another one", "foo; a; b=\"c\", permessage-deflate", both, "permessage-deflate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, ok, err := Accept([]byte(tc.header), tc.opts)
			if err != nil || ok != (tc.want != "") {
				t.Fatalf("ok %v, %v", ok, err)
			}
			if ok && p.String() != tc.want {
				t.Errorf("got  %s\nwant %s", p, tc.want)
			}
		})
	}
}

// Syntax errors (RFC 6455 section 9.1) are reported wherever they are in the list.
func TestAcceptSyntax(t *testing.T) {
	for _, header := range []string{
		";", "=", "permessage-deflate;", "permessage-deflate; =1", "permessage-deflate; a=", "permessage-deflate; a=,",
		`permessage-deflate; a="`, `permessage-deflate; a="b`, `permessage-deflate; a=""`, `permessage-deflate; a="b c"`,
		`permessage-deflate; a="\`, "permessage-deflate x", "permessage-deflate; a b", "permessage-deflate/2",
		"permessage-deflate, @", "permessage-deflate; a=b\x00", "permessage-deflate; a=\"\x00\"", "caf\xe9",
	} {
		if p, ok, err := Accept([]byte(header), Options{}); !errors.Is(err, ErrSyntax) || ok {
			t.Errorf("%q: %v %v %v", header, p, ok, err)
		}
	}
}

// Whatever a client offers, the answer is valid for that offer.
func FuzzAccept(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits=9; server_max_window_bits=\"10\", x; y=\"\\z\"", true, false, 12, 9)
	f.Add("permessage-deflate; server_no_context_takeover; client_no_context_takeover", true, true, 0, 0)
	f.Fuzz(func(t *testing.T, header string, server, client bool, serverBits, clientBits int) {
		o := Options{ServerTakeover: server, ClientTakeover: client, ServerWindowBits: serverBits, ClientWindowBits: clientBits}
		p, ok, err := Accept([]byte(header), o)
		if err != nil && ok {
			t.Fatal("accepted and malformed")
		}
		if !ok {
			return
		}
		if p.ServerTakeover && !server || p.ClientTakeover && !client {
			t.Fatal("takeover without leave")
		}
		for _, bits := range []uint8{p.ServerWindowBits, p.ClientWindowBits} {
			if bits < WindowBitsMin || bits > WindowBitsMax {
				t.Fatalf("window of %d bits", bits)
			}
		}
		if p.ClientWindowBits < WindowBitsMax && !strings.Contains(header, clientWindowBits) {
			t.Fatal("limits a client that does not know how")
		}
		// The answer, read as an offer, has the same meaning.
		again, ok, err := Accept(p.Append(nil), Options{ServerTakeover: true, ClientTakeover: true})
		if !ok || err != nil || again.String() != p.String() {
			t.Fatalf("%q becomes %q, %v", p, again, err)
		}
	})
}
