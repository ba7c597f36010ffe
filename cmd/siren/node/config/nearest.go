package config

import "strings"

// nearest is the known name that is most like an unknown key of a section: one of the same section first, else one of
// another section.
func (s *schema) nearest(sec *Section, name string) string {
	best, least := "", 1<<30
	try := func(full string, distance int) {
		if distance < least {
			best, least = full, distance
		}
	}
	for _, own := range sec.order {
		try(joinKey(sec.Name, own), 2*editDistance(name, own))
	}
	full := joinKey(sec.Name, name)
	for _, k := range s.all {
		// A key of another section has to be more like it.
		try(k.Name, 1+2*min(editDistance(full, k.Name), editDistance(name, last(k.Name))))
	}
	return best
}

// nearestOf is the name most like another.
func nearestOf(name string, known []string) string {
	best, least := "", 1<<30
	for _, k := range known {
		if d := editDistance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// editBytesMax bounds what is compared: no key is longer.
const editBytesMax = 64

// editDistance is the number of bytes to insert, delete or replace, or of neighbours to swap, between two names.
// Capitals, dashes and underscores count for nothing.
func editDistance(a, b string) int {
	a, b = plain(a), plain(b)
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

func plain(name string) string {
	name = strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	return name[:min(len(name), editBytesMax)]
}
