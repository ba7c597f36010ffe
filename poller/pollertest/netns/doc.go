// Package netns runs tests in network namespaces of their own, where the loopback interface behaves as a network does.
//
// On the usual loopback interface, with an MTU of 65,536 bytes, the kernel takes megabytes for a peer that does not
// read. What a server leaves unsent, and how it goes on when the peer reads again, does not show there. In a namespace
// with an MTU of 1,500 bytes, and with peers whose receive buffers are small, it does:
//
//	func TestNothingIsLost(t *testing.T) {
//		netns.Run(t, netns.Config{}, func(t *testing.T) {
//			srv := start(t)
//			conn, err := netns.Dialer(16<<10).Dial("tcp", srv.Addr().String())
//			...
//		})
//	}
//
// Run starts the test binary again, in the namespace, for this one test. So the namespace holds servers, clients and
// the processes that the test starts, TestMain runs again, and the ports of the machine are neither used nor reached.
//
// Making a namespace takes Linux and either root or user namespaces. Where that is not allowed, Run skips the test and
// says why.
package netns
