// Package peers keeps account of the other nodes of a cluster for one question or one handler: a Roll tells which nodes
// have answered, Others also counts their clients, and Turns let handlers of other nodes' events run one at a time,
// because those nodes may ask back.
package peers
