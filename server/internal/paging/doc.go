// Package paging chooses what is on a page of a striped map, by positions that stay good while the map changes.
package paging
