package cluster

import (
	"slices"
	"testing"
)

// TestOffset shows which texts are offsets, that a text is read as it was written, and the order of offsets.
func TestOffset(t *testing.T) {
	texts := []string{"0-0", "0-1", "7-0", "1795385914829-0", "1795385914829-12", "18446744073709551615-18446744073709551615"}
	var all []Offset
	for _, text := range texts {
		o, ok := ParseOffset(text)
		if !ok || o.String() != text || o.IsZero() != (text == "0-0") {
			t.Error(text, o, ok)
		}
		all = append(all, o)
	}
	if !slices.IsSortedFunc(all, Offset.Compare) || all[3].Compare(all[3]) != 0 {
		t.Error(all)
	}
	for _, text := range []string{
		"", "-", "1", "1-", "-1", "+1-1", "1-1-1", " 1-1", "1-1\n", "1-a", "0x1-1", "18446744073709551616-0", "99999999999999999999-0",
		"1-184467440737095516150", "١-1",
	} {
		if o, ok := ParseOffset(text); ok {
			t.Error(text, o)
		}
	}
}

func FuzzParseOffset(f *testing.F) {
	f.Add("1795385914829-0")
	f.Add("00-01")
	f.Fuzz(func(t *testing.T, text string) {
		if o, ok := ParseOffset(text); ok {
			if again, ok := ParseOffset(o.String()); !ok || again != o {
				t.Error(text, o, again)
			}
		}
	})
}
