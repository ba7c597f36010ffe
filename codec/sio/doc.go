// Package sio encodes and decodes packets of the Socket.IO protocol, revision 5, with
// the default (JSON) parser.
//
// A packet is one Engine.IO text message, followed by as many binary messages as the
// text announces:
//
//	<type>[<attachments>-][<namespace>,][<id>][<JSON payload>]
//
// The package works on byte slices. It does no I/O, starts no goroutines and keeps no
// state besides pools and a cache of Go types.
//
// # Decoding
//
// [Parse] checks a whole text, including its JSON, in one linear pass without
// recursion, and returns views of it. Values are decoded only on request: [NextArg]
// iterates over the arguments, [Unmarshal] decodes one of them into a Go value, and
// [Raw] passes one on without decoding it.
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
// An [Assembler] keeps the text of a binary packet until all its attachments have
// arrived.
//
// # Encoding
//
// [AppendEvent] and its siblings append the text to a buffer of the caller and return
// the attachments separately. A []byte, at any depth, is an attachment and not
// base64, as in JavaScript.
//
//	out, attachments, err := sio.AppendEvent(buf[:0], "/chat", -1, "tick", []any{"now", 1})
//
// Go values are encoded by the rules of encoding/json, with these exceptions:
//
//   - a []byte, or a value of a named byte-slice type without marshal methods, is an
//     attachment. A nil slice is null, an empty slice an attachment of no bytes;
//   - <, >, &, U+2028 and U+2029 are not escaped, as in JSON.stringify;
//   - a [Raw], json.RawMessage or jsontext.Value argument is written unchanged, after
//     it has been checked.
//
// Otherwise: nil slices and maps are null (so a client can tell a missing list from an
// empty one), map keys are sorted, field names match regardless of case, the last of
// several equal keys counts, and invalid UTF-8 becomes U+FFFD.
//
// # Concurrency
//
// Functions are safe for concurrent use. [Packet] and [Assembler] are loop-owned.
// [Limits] and [Raw] are immutable.
package sio
