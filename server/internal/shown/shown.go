// Package shown makes the data that other nodes see of a socket from its values, and values from such data.
package shown

import (
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/internal/keyed"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// Key is a key of any type.
type Key interface {
	// Shared returns the name under which other nodes see the key's values; ok is false if they do not see them.
	Shared() (name string, ok bool)
}

// Data returns an object with the values of shared keys by their names, or the value of the one without a name; no
// value if there are none. encode encodes a value. One that it cannot encode is left out.
func Data(vs *keyed.Values, encode func(v any) (sio.Raw, error)) (sio.Raw, error) {
	members := map[string]any{}
	for name, value := range values(vs) {
		if data, err := encode(value); err == nil {
			members[name] = packets.FirstArg(data)
		}
	}
	if len(members) == 0 {
		return sio.Raw{}, nil
	}
	if whole, ok := members[""].(sio.Raw); ok {
		return whole, nil
	}
	data, err := packets.Default.ArgsData([]any{members}) // of Raw values
	if err != nil {
		return sio.Raw{}, err
	}
	return packets.FirstArg(data), nil
}

// values returns the values of shared keys by their names, with those that are not decoded yet.
func values(vs *keyed.Values) map[string]any {
	out := map[string]any{}
	for k := range vs.All {
		if name, ok := k.Key.(Key).Shared(); ok {
			out[name] = k.Value
		}
	}
	live := len(out) > 0
	vs.EachShown(func(name string, shown any) {
		if _, ok := out[name]; !ok && (name != "" || !live) {
			out[name] = shown
		}
	})
	return out
}

// Values returns the values of a socket of which another node has shown the data.
func Values(data sio.Raw) *keyed.Values {
	if len(data.JSON) == 0 {
		return nil
	}
	out := map[string]any{"": data}
	for name, v := range members(data) {
		out[name] = v
	}
	return keyed.Shown(out)
}

// members returns the members of data by their names; nil if it is no object.
func members(data sio.Raw) (out map[string]sio.Raw) {
	if len(data.JSON) == 0 || data.JSON[0] != '{' || data.Unmarshal(&out) != nil {
		return nil
	}
	return out
}

// Member returns the value of that name in data; ok is false if there is none.
func Member(data sio.Raw, name string) (v sio.Raw, ok bool) {
	if name == "" && len(data.JSON) > 0 {
		return data, true
	}
	v, ok = members(data)[name]
	return v, ok
}

// Get returns the value that a socket has for a key, and decodes it if another node has shown it; nil if it has none,
// or one of another type.
func Get[T any](vs *keyed.Values, k Key) (v T, ok bool) {
	if v, ok = vs.Get(k).(T); ok || vs == nil {
		return v, ok
	}
	name, shared := k.Shared()
	if !shared {
		return v, false
	}
	v, ok = vs.Decode(k, name, func(shown any) any {
		var v T
		if raw := shown.(sio.Raw); packets.DecodeArg(raw.JSON, raw.Attachments, &v) != nil {
			return nil
		}
		return v
	}).(T)
	return v, ok
}
