package wsframe_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/wsframe"
)

func ExampleReader() {
	mask := [4]byte{1, 2, 3, 4}
	var received []byte // what a client sends
	received = wsframe.AppendMaskedFrame(received, ws.OpText, false, mask, []byte("Hel"))
	received = wsframe.AppendMaskedFrame(received, ws.OpPing, true, mask, []byte("?"))
	received = wsframe.AppendMaskedFrame(received, ws.OpContinuation, true, mask, []byte("lo"))
	received = wsframe.AppendMaskedFrame(received, ws.OpText, true, mask, []byte("\xff"))

	limits := &wsframe.Limits{MessageBytes: 1 << 20}
	var reader wsframe.Reader
	defer reader.Reset()
	var msg wsframe.Message
	for {
		n, err := reader.Next(received, limits, &msg)
		received = received[n:]
		var failure *wsframe.Error
		if errors.As(err, &failure) {
			fmt.Printf("close %d: %s\n", failure.Code, failure.Reason)
			return
		}
		if n == 0 {
			return
		}
		if msg.Kind != wsframe.None {
			fmt.Printf("%v %q\n", msg.Kind, msg.Data)
		}
	}
	// Output:
	// ping "?"
	// text "Hello"
	// close 1007: invalid UTF-8 in text message
}

func ExampleAppendUpgradeResponse() {
	response := wsframe.AppendUpgradeResponse(nil, []byte("dGhlIHNhbXBsZSBub25jZQ=="),
		"Sec-WebSocket-Protocol", "chat")
	for line := range strings.Lines(string(response)) {
		fmt.Printf("%q\n", line)
	}
	// Output:
	// "HTTP/1.1 101 Switching Protocols\r\n"
	// "Upgrade: websocket\r\n"
	// "Connection: Upgrade\r\n"
	// "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	// "Sec-WebSocket-Protocol: chat\r\n"
	// "\r\n"
}
