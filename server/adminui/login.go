package adminui

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"

	"golang.org/x/crypto/bcrypt"

	"github.com/seed58c87869/siren/server"
)

// What a UI is told that is not let in. The page shows its form for the first one.
var (
	errCredentials = server.Refuse("invalid credentials", nil)
	errBusy        = server.Refuse("try again later", nil)
	errClosed      = server.Refuse("Invalid namespace", nil) // what clients are told where there is no Admin UI
)

// checksMax is the number of passwords that are checked at a time.
const checksMax = 2

// secretMax is the greatest length of a name, a password or a session id, in bytes.
const secretMax = 1_024

// signedIn has the id of the session that a socket has just got with its password.
var signedIn = server.NewKey[string]("adminui.session")

// login is the middleware of the namespace: it lets in who has a session, or the password.
func (u *UI) login(ctx context.Context, s *server.Socket) error {
	if u.o.Anonymous {
		return nil
	}
	var given struct {
		SessionID *string `json:"sessionId"`
		Username  string  `json:"username"`
		Password  string  `json:"password"`
	}
	if err := s.Handshake().Auth(&given); err != nil {
		return errCredentials
	}
	if given.SessionID != nil {
		return u.comeBack(ctx, *given.SessionID)
	}
	if given.Password == "" || len(given.Username) > secretMax || len(given.Password) > secretMax {
		return errCredentials
	}
	if err := u.checkPassword(ctx, given.Username, given.Password); err != nil {
		return err
	}
	id := newSessionID()
	if err := u.o.Store.Save(ctx, id); err != nil {
		u.o.Logger.Warn("the session of an Admin UI cannot be kept", "err", err)
		return nil // it is let in, and will be asked again
	}
	signedIn.Set(s, id)
	return nil
}

// comeBack lets in who has a session.
func (u *UI) comeBack(ctx context.Context, id string) error {
	if id == "" || len(id) > secretMax {
		return errCredentials
	}
	known, err := u.o.Store.Exists(ctx, id)
	if err != nil {
		u.o.Logger.Warn("the session of an Admin UI cannot be looked up", "err", err)
		return errBusy
	}
	if !known {
		return errCredentials
	}
	return nil
}

// checkPassword checks a name and a password. It takes the same time when the name is wrong. Only a few checks run at a
// time, and only a few people wait for theirs: a check costs much of a processor, and anybody may ask for one.
func (u *UI) checkPassword(ctx context.Context, name, password string) error {
	if u.waiting.Add(1) > int64(u.o.MaxLogins+checksMax) {
		u.waiting.Add(-1)
		return errBusy
	}
	defer u.waiting.Add(-1)
	select {
	case u.checks <- struct{}{}:
	case <-ctx.Done():
		return errBusy
	case <-u.stop:
		return errBusy
	}
	defer func() { <-u.checks }()
	right := bcrypt.CompareHashAndPassword([]byte(u.o.PasswordBcrypt), []byte(password)) == nil
	if subtle.ConstantTimeCompare([]byte(name), []byte(u.o.Username)) != 1 || !right {
		return errCredentials
	}
	return nil
}

// newSessionID returns 16 hexadecimal digits, as the reference does.
func newSessionID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
