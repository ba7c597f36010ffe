// Package packets makes the packets of Socket.IO and takes them apart: values become a payload, a payload becomes a
// frame, and what comes from a client or from another node becomes arguments. It knows nothing of sockets.
//
//	Encoding   makes all frames of a server
//	Payload    the JSON of a packet and its attachments, in a pooled buffer
//	Prepared   an event that is encoded once and sent often
//	Arguments  those of an event or an acknowledgement, not decoded yet
//	Stream     the packets of one connection whose parser is the application's
package packets
