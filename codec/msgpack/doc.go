// Package msgpack encodes and decodes packets of the Socket.IO protocol,
// revision 5, as the npm package socket.io-msgpack-parser does: each packet is
// one binary message, a MessagePack map with the members type, data, nsp and id.
//
// The package translates between MessagePack and what package sio has inside of
// its packets: JSON, with placeholders {"_placeholder":true,"num":N} for the
// binary values beside it. It works on byte slices, without reflection, does no
// I/O and keeps no state but pools.
//
//	var p msgpack.Packet
//	if err := msgpack.Parse(message, nil, &p); err != nil {
//		return err // the peer is broken or hostile: end the connection
//	}
//	out, err := msgpack.Append(buf[:0], &p)
//
// # From MessagePack to JSON
//
// Values become what a client of the default parser would have sent for them:
//
//   - integers keep all their digits; other numbers are spelled as JavaScript
//     does; NaN and the infinities, which JSON has not, are null;
//   - text that is not UTF-8 gets U+FFFD in place of what is wrong;
//   - binary data is an attachment, and so is extension type 0 of any length that
//     has no other meaning (ArrayBuffers and typed arrays);
//   - notepack's undefined is null as an element of an array and no member at all
//     in a map; its dates are ISO texts; other extension types are arrays of the
//     type and the data, as notepack reads them;
//   - names in maps that are no text become the text JavaScript makes of them;
//     arrays, maps and dates as names are refused.
//
// An object that looks like a placeholder, in a packet with binary data, is
// refused: in JSON nobody could tell it from one.
//
// # From JSON to MessagePack
//
// Numbers that are integers, however they are spelled, take the shortest
// integer form that holds them; all others are float64, those beyond its range
// infinite, as JSON.parse has it. Text with lone surrogates gets U+FFFD.
//
// # Concurrency
//
// Functions are safe for concurrent use. [Packet] belongs to its user, [Limits]
// are immutable.
package msgpack
