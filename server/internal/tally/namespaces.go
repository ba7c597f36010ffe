package tally

// NamespaceStats has the counters of a namespace, or of several, since the start. Immutable.
type NamespaceStats struct {
	// Name is that of the namespace, DynamicName or UnknownName.
	Name string
	// Sockets and Rooms are the numbers of those that are on this node now.
	Sockets, Rooms int
	SpaceStats
}

// The names of namespaces that are counted together.
const (
	DynamicName = "dynamic" // those that clients have named
	UnknownName = "unknown" // those that do not exist
)

// Namespaces is a list of namespaces, of which the first has the numbers of Dynamic.
type Namespaces []NamespaceStats

// Namespaces returns a list of the namespaces that are counted together.
func (t *Tally) Namespaces() Namespaces {
	return Namespaces{{Name: DynamicName, SpaceStats: t.Dynamic.Stats()}, {Name: UnknownName, SpaceStats: t.Unknown.Stats()}}
}

// Add adds a namespace with its present numbers of sockets and rooms, to those that are counted together if it is one
// of them.
func (all Namespaces) Add(name string, s *Space, sockets, rooms int) Namespaces {
	if s.shared {
		all[0].Sockets += sockets
		all[0].Rooms += rooms
		return all
	}
	return append(all, NamespaceStats{name, sockets, rooms, s.Stats()})
}
