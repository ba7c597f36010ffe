package packets

import (
	"errors"
	"testing"

	"github.com/seed58c87869/siren/codec/sio"
)

func TestParseEvent(t *testing.T) {
	for _, test := range []struct {
		data, event string
		args        []string
	}{
		{`["e"]`, "e", nil},
		{` [ "e" , 1 , {"a":[1,2]} ] `, "e", []string{"1", `{"a":[1,2]}`}},
		{`["\u00e4\"",null,"x,]"]`, `ä"`, []string{"null", `"x,]"`}},
	} {
		event, args, err := ParseEvent(sio.Raw{JSON: []byte(test.data)})
		if err != nil || event != test.event || args.Len() != len(test.args) || len(args.All()) != args.Len() {
			t.Errorf("%s: %q %d %v", test.data, event, args.Len(), err)
		}
		for i, want := range test.args {
			if got := string(args.At(i).JSON); got != want {
				t.Errorf("%s: argument %d is %s", test.data, i, got)
			}
		}
	}
	for _, data := range []string{``, `[]`, `[1]`, `[null,"e"]`, `["e"`, `"e"`, `{"e":1}`, `["e",]`, `["e"],`, `["e"]]`, `[,"e"]`} {
		if _, _, err := ParseEvent(sio.Raw{JSON: []byte(data)}); err == nil {
			t.Errorf("%s is no event", data)
		}
	}
	if _, err := ParseData(sio.Raw{}); !errors.Is(err, ErrData) {
		t.Error(err)
	}
}

// A prepared event has one frame for each encoding, namespace and wish for compression.
func TestPreparedKeepsFrames(t *testing.T) {
	var p Prepared
	if err := Default.Prepare(&p, "e", []any{[]byte("b")}); err != nil {
		t.Fatal(err)
	}
	other := New(nil, nil, 1)
	seen := map[any]bool{}
	for range 2 {
		for _, enc := range []*Encoding{Default, other} {
			for _, ns := range []string{"/", "/chat"} {
				for _, plain := range []bool{false, true} {
					f, err := p.Frame(enc, ns, plain)
					if err != nil {
						t.Fatal(err)
					}
					seen[f] = true
				}
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d frames", len(seen))
	}
}
