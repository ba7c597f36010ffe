package server

import "github.com/seed58c87869/siren/server/internal/users"

// SetUser sets the user of the socket: the name or id of a person or account, as the application knows it.
// Operator.Users then selects the socket by it. Call it in a middleware, so that the socket has its user before anybody
// can find it. The empty string removes the user. A socket that comes back (Config.Recovery) has the user of its former
// life. After the socket's end SetUser does nothing. It costs an idle socket the length of the name and about 100
// bytes.
func (s *Socket) SetUser(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.extra.Load()
	if s.closed.Load() || e == nil && user == "" {
		return
	}
	e = s.extras()
	if e.user.User == user {
		return
	}
	s.ns.users.Remove(s)
	e.user.User = user
	if s.announced {
		s.ns.users.Add(s)
	}
}

// User returns the user of SetUser, or "" if it was not called. It stays after the socket's end.
func (s *Socket) User() string {
	if s.extra.Load() == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra.Load().user.User
}

// Users adds all sockets of these users to those in the rooms of To: the broadcast goes to the sockets of any of the
// users and in any of the rooms, once each. With neither users nor rooms it is for the whole namespace, so Users of an
// empty list changes nothing. See Socket.SetUser. Other nodes need an adapter that supports users.
func (o Operator) Users(users ...string) Operator {
	o.users = append(o.users[:len(o.users):len(o.users)], users...)
	return o
}

// Users selects all sockets of these users; see Operator.Users.
func (ns *Namespace) Users(users ...string) Operator { return ns.all().Users(users...) }

// newUsers makes the map from users to sockets of a namespace. The user of a socket is in its extra, which it may not
// have.
func newUsers(stripes int) *users.Map[Socket] {
	return users.New(stripes, func(s *Socket) *users.Entry[Socket] {
		if e := s.extra.Load(); e != nil {
			return &e.user
		}
		return nil
	})
}
