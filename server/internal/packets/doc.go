// Package packets encodes and decodes the packets of Socket.IO: values become a payload, a payload becomes a frame, and
// input of a client or another node becomes arguments. It knows nothing of sockets.
//
//	Encoding   makes all frames of a server
//	Payload    the JSON of a packet and its attachments, in a pooled buffer
//	Prepared   an event that is encoded once and sent often
//	Arguments  the encoded arguments of an event or an acknowledgement
//	Stream     the packets of one connection with the application's parser
package packets
