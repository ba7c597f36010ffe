// Package proxyproto reads the header of the PROXY protocol, versions 1 and 2, with which a proxy that forwards TCP
// tells the address of its client before the first byte of the connection's own. The protocol is HAProxy's
// (proxy-protocol.txt, revision 2020/03/05); nginx, Envoy and the load balancers of the clouds speak it too.
//
// [Parse] is a pure function over what has arrived so far: it says that the header is there, that more is needed, or that
// this is none. It keeps nothing of the data.
//
// Whoever may write to the connection may claim any address. So a server reads the header only where it is told to, and
// then requires it: guessing whether there is one would let anybody add one.
//
//	h, n, err := proxyproto.Parse(data)
//	switch {
//	case err != nil: // close the connection
//	case n == 0: // wait for more; never for more than proxyproto.HeaderBytesMax
//	case h.Source.IsValid(): // the client's address; data[n:] is the client's own
//	default: // the proxy speaks for itself, or does not know: the connection's own address is what there is
//	}
package proxyproto
