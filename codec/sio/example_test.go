package sio_test

import (
	"fmt"

	"github.com/seed58c87869/siren/codec/sio"
)

// A server reads an event with an attachment and acknowledges it with the arguments
// that it received, without decoding them.
func Example() {
	text := []byte(`51-/chat,7["photo","cat.png",{"_placeholder":true,"num":0}]`)
	var p sio.Packet
	if err := sio.Parse(text, nil, &p); err != nil {
		fmt.Println(err) // end the connection
		return
	}
	var pending sio.Assembler
	pending.Begin(text, &p)
	if _, err := pending.Add([]byte{1, 2, 3}, nil); err != nil {
		fmt.Println(err)
		return
	}
	p, attachments := pending.Take()

	name, rest := sio.NextArg(p.Args)
	picture, _ := sio.NextArg(rest)
	var file string
	if err := sio.Unmarshal(name, attachments, &file); err != nil {
		fmt.Println(err) // tell the handler
		return
	}
	fmt.Println(string(p.Event), file)

	out, attachments, err := sio.AppendAck(nil, string(p.Namespace), p.ID, []any{"ok", sio.Raw{JSON: picture, Attachments: attachments}})
	fmt.Println(string(out), attachments, err)
	// Output:
	// photo cat.png
	// 61-/chat,7["ok",{"_placeholder":true,"num":0}] [[1 2 3]] <nil>
}
