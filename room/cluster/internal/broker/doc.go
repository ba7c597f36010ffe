// Package broker has what adapters of different brokers share: the queues between a server and its broker, the keeper
// of the connection, the subscriptions, and the adapter's health with its counters. It knows no broker: the adapter's
// connection is a [Link].
package broker
