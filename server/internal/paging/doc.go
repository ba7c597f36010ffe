// Package paging chooses what is on a page of a striped map, by positions that stay valid while the map changes.
package paging
