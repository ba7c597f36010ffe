package server

import "github.com/seed58c87869/siren/codec/sio"

// Raw is one JSON value with the binary attachments its placeholders name. As an argument of Emit or Ack it is sent
// as it is; as the type of a handler's argument it takes any value. It owns its data, unless it comes from the
// Message of an inline handler. Clone copies it.
type Raw = sio.Raw

// JSON is a JSON library, for Config.JSON. Safe for concurrent use.
type JSON interface {
	// Marshal is encoding/json's.
	Marshal(v any) ([]byte, error)
	// Unmarshal is encoding/json's.
	Unmarshal(data []byte, v any) error
}
