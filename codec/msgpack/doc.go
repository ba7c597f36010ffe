// Package msgpack encodes and decodes packets of the Socket.IO protocol, revision 5, in
// the format of the npm package socket.io-msgpack-parser: each packet is one binary
// message, a MessagePack map with the members type, data, nsp and id.
//
// The package translates between MessagePack and the payloads of package sio: JSON with
// placeholders {"_placeholder":true,"num":N} for separate binary values. It works on byte
// slices without reflection, does no I/O and keeps no state besides pools.
//
//	var p msgpack.Packet
//	if err := msgpack.Parse(message, nil, &p); err != nil {
//		return err // the peer is broken or hostile: end the connection
//	}
//	out, err := msgpack.Append(buf[:0], &p)
//
// [Decoder] and the Append functions of single values are for other formats, such as those
// of brokers.
//
// # From MessagePack to JSON
//
// Values are translated to what a client of the default parser would have sent:
//
//   - integers keep all their digits; other numbers are spelled as in JavaScript; NaN
//     and the infinities, which JSON does not have, become null;
//   - invalid UTF-8 in text becomes U+FFFD;
//   - binary data becomes an attachment, and so does extension type 0 of any length that
//     has no other meaning (ArrayBuffers and typed arrays);
//   - notepack's undefined becomes null in an array and is omitted in a map; its dates
//     become ISO texts; other extension types become arrays of the type and the data, as
//     notepack reads them;
//   - names in maps that are not text become the text that JavaScript converts them to;
//     arrays, maps and dates as names are refused.
//
// In a packet with binary data, an object that looks like a placeholder is refused,
// because it would be indistinguishable from one in JSON.
//
// # From JSON to MessagePack
//
// Integers, in any spelling, take the shortest integer form that holds them. All other
// numbers are float64; numbers beyond its range become infinite, as in JSON.parse. Lone
// surrogates in text become U+FFFD.
//
// # Concurrency
//
// Functions are safe for concurrent use. Only one goroutine may use a [Packet] or a
// [Decoder] at a time.
// [Limits] is immutable.
package msgpack
