// Package netns runs tests in network namespaces of their own, where the loopback interface behaves like a real
// network.
//
// On the usual loopback interface, with an MTU of 65,536 bytes, the kernel buffers megabytes for a peer that does not
// read. So tests there do not show what a server leaves unsent, or whether it continues when the peer reads again. They
// do in a namespace with an MTU of 1,500 bytes, and with peers that have small receive buffers:
//
//	func TestNothingIsLost(t *testing.T) {
//		netns.Run(t, netns.Config{}, func(t *testing.T) {
//			srv := start(t)
//			conn, err := netns.Dialer(16<<10).Dial("tcp", srv.Addr().String())
//			...
//		})
//	}
//
// Run starts the test binary again, in the namespace, for this one test. So the namespace contains the servers, the
// clients and the processes that the test starts, TestMain runs again, and the ports of the machine are neither used
// nor reachable.
//
// Making a namespace requires Linux and either root or user namespaces. Without them, Run skips the test and logs the
// reason.
package netns
