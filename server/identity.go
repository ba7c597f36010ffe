package server

// SetIdentity keeps what the application knows of who the client is, such as the claims of its token, in place of what was
// kept before; nil forgets it. It is for what nearly every socket has, because it costs less memory than a Key: 16 bytes
// beside SetUser's and the value. A socket that comes back (Config.Recovery) does not have it again.
func (s *Socket) SetIdentity(identity any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra.Load() == nil && identity == nil {
		return
	}
	s.extras().identity = identity
}

// Identity is what SetIdentity has set; nil when it was not called.
func (s *Socket) Identity() any {
	if s.extra.Load() == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra.Load().identity
}

// ReplaceAuth puts other JSON in the place of the auth payload: Handshake has that from now on. It is for secrets, which need
// not stay in memory once they are checked. Nil leaves no payload. The bytes are copied. The Handshake of a RemoteSocket, and
// one that was asked for before, may still have the old one for a moment.
func (s *Socket) ReplaceAuth(auth []byte) {
	s.client.loop().Post(&forgetting{s, string(auth)})
}

// forgetting is a ReplaceAuth on its way to the loop, whose account has the payload.
type forgetting struct {
	s    *Socket
	auth string
}

// Run implements task.
func (f *forgetting) Run(int) {
	defer f.s.client.sess.EndOnPanic()
	open := f.s.phase != phaseClosed
	if open {
		(*introduced)(f.s).count(false)
	}
	f.s.mu.Lock()
	f.s.auth = f.auth
	f.s.mu.Unlock()
	if open {
		(*introduced)(f.s).count(true)
	}
}
