// Package eio is the codec of Engine.IO protocols 4 and 3: packets, polling payloads, the frames that a
// server sends, the open packet, error bodies and session ids. It takes slices and gives slices; it
// knows no connection, no clock and no HTTP.
//
// # Reading
//
// A WebSocket text message is one packet: [ParseText]. A WebSocket binary message is a message
// packet as it is and needs no parser. The body of a polling POST holds one or more packets:
// [NewPayload] and [Payload.Next]. Both give views into the bytes they were handed, and both decode
// base64 in place, so the bytes must belong to the caller and are not the same afterwards.
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
// What a server sends is a [Frame]: encoded once, shared by every recipient and by both transports.
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
// Names without a number are protocol 4. Ping goes from the server to the client, a payload is
// separated by [Separator], and binary data is base64 in a payload and bare in a WebSocket message.
//
// Names with a 3 are protocol 3. Ping goes from the client to the server, the packets of a payload
// have their lengths in front, and a type byte stands in front of binary data everywhere. JSONP,
// a way to carry the payloads of either, is in [AppendJSONP] and [ParseJSONP].
package eio
