// Package eio is the codec of Engine.IO protocols 4 and 3: packets, polling payloads, the frames that a
// server sends, the open packet, error bodies and session ids. It works on byte slices and is
// independent of connections, clocks and HTTP.
//
// # Reading
//
// A WebSocket text message is one packet: see [ParseText]. A WebSocket binary message is the data of
// one message packet and needs no parsing. The body of a polling POST holds one or more packets: see
// [NewPayload] and [Payload.Next]. Results are views of the bytes passed in, and base64 is decoded in
// place, so the caller must own the bytes and must expect them to change.
//
//	p := eio.NewPayload(body, 256)
//	for {
//		pkt, ok, err := p.Next()
//		if err != nil {
//			return err // answer 400, end the session
//		}
//		if !ok {
//			break
//		}
//		handle(pkt)
//	}
//
// # Writing
//
// A server sends a [Frame]. It is encoded once and shared by all recipients and both transports.
//
//	f := eio.NewMessage([]byte(`2["tick",1]`))
//	conn.Write(f.WebSocket())                            // a WebSocket client
//	body, n := eio.AppendPayload(buf, queue, maxPayload) // a polling client: as much as fits
//
// # Concurrency
//
// A Frame is immutable once it is built and safe for concurrent use. A Payload belongs to one
// goroutine. All functions are safe for concurrent use; the id generators share a pool of random
// bytes. The constructors of a Frame copy the bytes they are given.
//
// # Versions
//
// Names without a number belong to protocol 4. Ping goes from the server to the client, [Separator]
// separates the packets of a payload, and binary data is base64 in a payload and raw in a WebSocket
// message.
//
// Names with a 3 belong to protocol 3. Ping goes from the client to the server, each packet of a
// payload follows its length, and a type byte precedes binary data. [AppendJSONP] and [ParseJSONP]
// carry the payloads of either protocol over JSONP.
package eio
