package config

import (
	"fmt"
	"slices"
	"strings"
)

// secretFileMax bounds a file of secrets, in bytes: 1 MiB holds ten thousand keys.
const secretFileMax = 1 << 20

// SecretFile is a file of secrets, one a line, which is read when the configuration is. Immutable.
type SecretFile struct {
	// Path of the file. Empty: none.
	Path string
	// Lines of the file that are not blank, without white space around them.
	Lines []string
}

// read fills in the lines.
func (f *SecretFile) read() error {
	text, err := readBounded(f.Path, secretFileMax)
	if err != nil {
		return err
	}
	f.Lines = nil
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			f.Lines = append(f.Lines, line)
		}
	}
	if len(f.Lines) == 0 {
		return fmt.Errorf("%s has no secret", f.Path)
	}
	return nil
}

// Keys are the API keys of the list and of the file.
func (a *Admin) Keys() []string { return slices.Concat(a.APIKeys, a.APIKeysFile.Lines) }

// Secrets are the HMAC secrets of the list and of the file; the first one signs.
func (j *JWT) Secrets() []string { return slices.Concat(j.HMACSecrets, j.HMACSecretsFile.Lines) }

// Hashes are the hashes of the key and of the file, of which there has to be one.
func (u *AdminUI) Hashes() []string {
	out := slices.Clone(u.PasswordBcryptFile.Lines)
	if u.PasswordBcrypt != "" {
		out = append(out, u.PasswordBcrypt)
	}
	return out
}

// Signing are the secrets of the list and of the file.
func (w *Webhooks) Signing() []string { return slices.Concat(w.Secrets, w.SecretsFile.Lines) }
