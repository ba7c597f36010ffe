// Package config is the configuration of a node: one struct that the file, the environment, the flags, the reference
// page, the commented sample and the JSON Schema all come from, with checks that tell every error at once, each with
// its place.
//
// Flags go before the environment, that goes before the file, and that before the defaults. Everything in the package
// is immutable or used by one goroutine.
package config
