// Package brokertest is what tests of adapters share: brokers as processes, a proxy in front of them, and nodes that
// keep what they receive.
package brokertest
