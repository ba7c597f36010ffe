package shown

import (
	"testing"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/internal/keyed"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// key is a shared key.
type key string

func (k key) Shared() (string, bool) { return string(k), k != "private" }

func encode(v any) (sio.Raw, error) { return packets.Default.ArgsData([]any{v}) }

func data(t *testing.T, vs *keyed.Values) string {
	t.Helper()
	d, err := Data(vs, encode)
	if err != nil {
		t.Error(err)
	}
	return string(d.JSON)
}

// TestValues shows that what another node has shown is there by its names, decoded or not, until it is replaced or
// removed, and that it is shown again.
func TestValues(t *testing.T) {
	vs := Values(sio.Raw{JSON: []byte(`{"a":1,"b":{"x":[2]},"c":"text","d":4}`)})
	if got := data(t, vs); got != `{"a":1,"b":{"x":[2]},"c":"text","d":4}` {
		t.Error(got)
	}
	if v, ok := Get[int](vs, key("a")); v != 1 || !ok {
		t.Error(v, ok)
	}
	if v, ok := Get[int](vs, key("a")); v != 1 || !ok {
		t.Error(v, ok)
	}
	if v, ok := Get[int](vs, key("c")); ok { // it is a text
		t.Error(v)
	}
	for _, name := range []key{"none", "private"} {
		if v, ok := Get[int](vs, name); ok {
			t.Error(name, v)
		}
	}
	vs.Hide("d")
	vs.Set(key("b"), "new")
	if got := data(t, vs); got != `{"a":1,"b":"new"}` && got != `{"b":"new","a":1}` {
		t.Error(got)
	}
}

// TestWhole shows the key without a name, whose value is all of the data.
func TestWhole(t *testing.T) {
	for _, text := range []string{`{"a":1}`, `[1]`, `7`} {
		vs := Values(sio.Raw{JSON: []byte(text)})
		if got := data(t, vs); got != text {
			t.Error(got)
		}
		v, ok := Get[sio.Raw](vs, key(""))
		if !ok || string(v.JSON) != text || data(t, vs) != text {
			t.Error(v, ok)
		}
		if _, ok := Get[int](vs, key("a")); ok {
			t.Error("it was taken with the whole")
		}
	}
	if vs := Values(sio.Raw{}); vs != nil || data(t, vs) != "" {
		t.Error(vs)
	}
	if _, ok := Get[int](nil, key("a")); ok {
		t.Error("there are none")
	}
}

func TestMember(t *testing.T) {
	d := sio.Raw{JSON: []byte(`{"a":1}`)}
	if v, ok := Member(d, "a"); string(v.JSON) != "1" || !ok {
		t.Error(v, ok)
	}
	if v, ok := Member(d, ""); string(v.JSON) != `{"a":1}` || !ok {
		t.Error(v, ok)
	}
	for _, text := range []string{`{"b":1}`, `[1]`, ``, `{`} {
		if v, ok := Member(sio.Raw{JSON: []byte(text)}, "a"); ok {
			t.Error(text, v)
		}
	}
}
