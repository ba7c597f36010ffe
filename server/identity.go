package server

// SetIdentity stores what the application knows about the identity of the client, such as the claims of its token. It
// replaces the previous value; nil removes it. It is for a value that nearly every socket has, because it costs less
// memory than a Key: 16 bytes in addition to SetUser's and the value. A socket that comes back (Config.Recovery) does
// not keep it.
func (s *Socket) SetIdentity(identity any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra.Load() == nil && identity == nil {
		return
	}
	s.extras().identity = identity
}

// Identity returns the value of SetIdentity, or nil if it was not called.
func (s *Socket) Identity() any {
	if s.extra.Load() == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extra.Load().identity
}

// ReplaceAuth replaces the auth payload: Handshake has the new JSON from now on. It is for secrets, which need not stay
// in memory after they were checked. Nil leaves no payload. The bytes are copied. The Handshake of a RemoteSocket, and
// one that was requested before, may have the old payload for a moment.
func (s *Socket) ReplaceAuth(auth []byte) {
	s.client.loop().Post(&forgetting{s, string(auth)})
}

// forgetting is the task of ReplaceAuth on the loop, whose ledger counts the payload.
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
