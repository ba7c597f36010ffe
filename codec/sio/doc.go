// Package sio encodes and decodes packets of the Socket.IO protocol,
// revision 5, with the default (JSON) parser.
//
// A packet is one Engine.IO text message, followed by as many binary messages
// as the text announces:
//
//	<type>[<attachments>-][<namespace>,][<id>][<JSON payload>]
//
// The package works on byte slices only. It does no I/O, starts no goroutine
// and keeps no state besides pools and a cache of Go types.
//
// # Decoding
//
// [Parse] checks a whole text, its JSON included, in one linear pass without
// recursion, and gives views into it. Nothing is decoded until somebody asks:
// [NextArg] walks over the arguments, [Unmarshal] decodes one of them into a
// Go value, and [Raw] carries one on without ever decoding it.
//
//	var p sio.Packet
//	if err := sio.Parse(text, nil, &p); err != nil {
//		return err // the peer is broken or hostile: end the connection
//	}
//	for arg, rest := sio.NextArg(p.Args); arg != nil; arg, rest = sio.NextArg(rest) {
//		var v any
//		if err := sio.Unmarshal(arg, nil, &v); err != nil {
//			return err
//		}
//	}
//
// An [Assembler] keeps the text of a binary packet until its attachments are
// there.
//
// # Encoding
//
// [AppendEvent] and its siblings append the text to a buffer of the caller and
// return the attachments beside it. A []byte, at any depth, is an attachment
// and not base64, as it is in JavaScript.
//
//	out, attachments, err := sio.AppendEvent(buf[:0], "/chat", -1, "tick", []any{"now", 1})
//
// Go values become JSON by the rules of encoding/json with these exceptions:
//
//   - a []byte, or a value of a named byte-slice type without marshal methods,
//     is an attachment; a nil one is null. An empty one is an attachment of
//     no bytes;
//   - <, >, &, U+2028 and U+2029 are not escaped, as JSON.stringify does it;
//   - a [Raw], json.RawMessage or jsontext.Value argument is written as it is,
//     once it has been checked.
//
// The rest is as Go people know it: nil slices and maps are null (encoding/json
// does so, and a client that asks "is there a list?" gets a true answer),
// map keys are sorted, field names match regardless of case, duplicate keys
// are allowed and the last one counts, invalid UTF-8 becomes U+FFFD.
//
// # Concurrency
//
// Functions are safe for concurrent use. [Packet] and [Assembler] are
// loop-owned, [Limits] and [Raw] are immutable.
package sio
