// Package proxyproto reads the header of the PROXY protocol, versions 1 and 2. A proxy that forwards TCP sends the
// header as the first bytes of a connection; it holds the address of the proxy's client. HAProxy defines the protocol
// (proxy-protocol.txt, revision 2020/03/05); nginx, Envoy and the load balancers of cloud providers use it too.
//
// [Parse] is a pure function of the bytes received so far. It reports that the header is complete, that more bytes are
// needed, or that there is no valid header. It does not retain the data.
//
// Anyone who can connect can claim any address. A server must therefore read the header only on listeners configured
// for it, and must require it there. Detecting whether there is a header would let any client add one.
//
//	h, n, err := proxyproto.Parse(data)
//	switch {
//	case err != nil: // close the connection
//	case n == 0: // wait for more; never for more than proxyproto.HeaderBytesMax
//	case h.Source.IsValid(): // the client's address; data[n:] was sent by the client
//	default: // a health check or an unknown protocol: use the address of the connection
//	}
package proxyproto
