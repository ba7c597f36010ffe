package eio_test

import (
	"fmt"

	"github.com/seed58c87869/siren/codec/eio"
)

func ExamplePayload() {
	p := eio.NewPayload([]byte("4hello\x1ebAQIDBA==\x1e1"), 256)
	for {
		pkt, ok, err := p.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		if !ok {
			return
		}
		fmt.Printf("%v binary=%v %q\n", pkt.Type, pkt.Binary, pkt.Data)
	}
	// Output:
	// message binary=false "hello"
	// message binary=true "\x01\x02\x03\x04"
	// close binary=false ""
}

func ExampleAppendPayload() {
	queue := []*eio.Frame{
		eio.NewMessage([]byte("one")),
		eio.Link(eio.NewMessage([]byte("two")), eio.NewBinary([]byte{1, 2, 3, 4})),
		eio.PingFrame,
	}
	for len(queue) > 0 {
		body, taken := eio.AppendPayload(nil, queue, 12)
		fmt.Printf("%q\n", body)
		queue = queue[taken:]
	}
	// Output:
	// "4one\x1e4two"
	// "bAQIDBA==\x1e2"
}
