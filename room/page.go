package room

import "hash/maphash"

// Stripes returns the number of parts that the directory is made of. Immutable.
func (d *Directory) Stripes() int { return int(d.size) }

// StripeOf returns the index of the part that a name belongs to, whether or not there is such a room. Immutable: a
// caller may go through the rooms part by part, and come back later.
func (d *Directory) StripeOf(name string) int { return int(maphash.String(d.seed, name) % d.size) }

// InStripe appends the rooms of one part to rooms, in no particular order.
func (d *Directory) InStripe(i int, rooms []*Room) []*Room {
	all := d.all()
	if i < 0 || i >= len(all) {
		return rooms
	}
	return all[i].appendTo(rooms)
}
