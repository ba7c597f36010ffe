package profile

import (
	_ "embed"
	"slices"
)

// sampleText is the profile that the command init writes.
//
//go:embed sample.yaml
var sampleText []byte

// Sample returns a profile with comments for every key.
func Sample() []byte { return slices.Clone(sampleText) }
