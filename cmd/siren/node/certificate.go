package node

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
)

// certificate is that of the operators' listener, which a reload reads again. Safe for concurrent use.
type certificate struct {
	current atomic.Pointer[tls.Certificate]
}

// readCertificate reads the files of a configuration; nil when it has none.
func readCertificate(files *config.TLS) (*tls.Certificate, error) {
	if files.CertFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("admin.tls: %w", err)
	}
	return &pair, nil
}

// config returns the settings of a listener with the certificate; nil without one.
func (c *certificate) config() *tls.Config {
	if c.current.Load() == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}
