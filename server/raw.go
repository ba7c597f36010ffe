package server

import "github.com/seed58c87869/siren/codec/sio"

// Raw is one JSON value with the binary attachments its placeholders name. As an argument of Emit or Ack it is sent
// as it is; as the type of a handler's argument it takes any value. It owns its data, unless it comes from the
// Message of an inline handler. Its members:
//
//   - JSON []byte: the value, with a placeholder for each attachment; nil for no value
//   - Attachments [][]byte: what the placeholders stand for
//   - Unmarshal(dst any) error: decodes the value
//   - Clone() Raw: a copy that shares no memory
//   - Inline(value func(dst, attachment []byte) []byte) ([]byte, error): the JSON with other JSON for the attachments
//   - MarshalJSON, UnmarshalJSON: for other JSON encoders
type Raw = sio.Raw

// JSON is a JSON library, for Config.JSON. Safe for concurrent use.
type JSON interface {
	// Marshal is encoding/json's.
	Marshal(v any) ([]byte, error)
	// Unmarshal is encoding/json's.
	Unmarshal(data []byte, v any) error
}
