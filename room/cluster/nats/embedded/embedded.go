// Package embedded runs a NATS server inside the process, connected to those of the other nodes, so that a cluster
// needs no other program:
//
//	b, err := embedded.Start(embedded.Config{
//		Listen: "10.0.0.1:6222", Routes: []string{"10.0.0.2:6222", "10.0.0.3:6222"}, Secret: secret,
//	})
//	if err != nil {
//		return err
//	}
//	defer b.Close() // behind the server
//	a, err := nats.New(nats.Config{URL: embedded.URL, Options: b.Connect})
//
// A node knows the others by Routes, or is told of them by one that it knows: each has to name one that is there. Other
// nodes need the secret. What goes between them is not encrypted. For clients the broker listens on the loopback
// interface alone, because it does not work without, and they need a password that nobody is told.
package embedded

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// URL is the address of the adapter's configuration: the broker in the process has none.
const URL = "nats://embedded"

// Config is the configuration of a Broker. A zero field means its default. Immutable once in use.
type Config struct {
	// Listen is the address for the other nodes, host:port. Without a host it is all of the machine's. Needed.
	Listen string
	// Advertise is the address that other nodes tell each other, host:port: Listen by default.
	Advertise string
	// Routes are the addresses of other nodes, host:port. An own address among them does no harm.
	Routes []string
	// Secret is what all nodes share. Needed.
	Secret string
	// MaxPayload is the longest message that travels as a whole, in bytes: 1 MiB by default, as other NATS servers have.
	MaxPayload int
	// MaxPending bounds what waits for another node, or for the adapter of this one, in bytes: 64 MiB by default. A
	// connection that is further behind is closed, and made again.
	MaxPending int
	// Logger gets the broker's warnings and errors; nil is none.
	Logger *slog.Logger
}

// Broker is a NATS server in the process. Safe for concurrent use.
type Broker struct {
	srv *natsserver.Server
	// token is the password of this process. Immutable.
	token string
}

// startTime bounds the start of the broker, closeTime its end.
const (
	startTime = 10 * time.Second
	closeTime = 5 * time.Second
)

// Start starts a broker, which connects to the others in the background. Errors are those of the configuration, and of
// the listener.
func Start(cfg Config) (*Broker, error) {
	o, err := cfg.options()
	if err != nil {
		return nil, err
	}
	srv, err := natsserver.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &logger{log: log, fatal: make(chan string, 1)}
	srv.SetLogger(l, false, false)
	srv.Start()
	b := &Broker{srv, o.Authorization}
	for end := time.Now().Add(startTime); ; {
		select {
		case text := <-l.fatal:
			b.Close()
			return nil, fmt.Errorf("embedded: %s", text)
		default:
		}
		if srv.ReadyForConnections(readyStep) && srv.ClusterAddr() != nil {
			return b, nil
		}
		if time.Now().After(end) {
			b.Close()
			return nil, errors.New("embedded: the broker does not start")
		}
	}
}

// readyStep is how often the start looks for an error.
const readyStep = 50 * time.Millisecond

// options returns those of the server.
func (c *Config) options() (*natsserver.Options, error) {
	host, port, err := hostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("embedded: the address to listen on: %w", err)
	}
	if c.Secret == "" {
		return nil, errors.New("embedded: the secret is empty")
	}
	password := c.password()
	o := &natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, Authorization: rand.Text(),
		NoSigs: true, NoLog: true, ServerName: serverName(c.Listen),
		MaxPayload: int32(cmp.Or(c.MaxPayload, 1<<20)), MaxPending: int64(cmp.Or(c.MaxPending, 64<<20)),
		Cluster: natsserver.ClusterOpts{
			Name: "siren", Host: cmp.Or(host, "0.0.0.0"), Port: port, Username: userName, Password: password,
			Advertise: c.Advertise, NoAdvertise: true, // which is of the clients' addresses
		},
	}
	for _, r := range c.Routes {
		if _, _, err := hostPort(r); err != nil {
			return nil, fmt.Errorf("embedded: the address of another node: %w", err)
		}
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: r, User: url.UserPassword(userName, password)})
	}
	return o, nil
}

// userName is the user of all nodes.
const userName = "siren"

// password is what nodes send each other: not the secret itself, which may be used for something else too.
func (c *Config) password() string {
	mac := hmac.New(sha256.New, []byte(c.Secret))
	mac.Write([]byte("siren broker routes"))
	return hex.EncodeToString(mac.Sum(nil))
}

// serverName names a server in the logs of the others. It has to be unique in the cluster.
func serverName(listen string) string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%s-%d", host, listen, os.Getpid())
}

// hostPort splits an address, whose host may be empty.
func hostPort(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q has no port", address)
	}
	return host, port, nil
}

// Connect makes an adapter connect within the process. It is nats.Config's Options.
func (b *Broker) Connect(o *nats.Options) { o.CustomDialer, o.Token = b, b.token }

// Dial implements nats.CustomDialer.
func (b *Broker) Dial(string, string) (net.Conn, error) { return b.srv.InProcessConn() }

// Routes returns the number of connections to other nodes' brokers.
func (b *Broker) Routes() int { return b.srv.NumRoutes() }

// Close ends the broker. The adapter must have been closed before.
func (b *Broker) Close() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.srv.Shutdown()
		b.srv.WaitForShutdown()
	}()
	select {
	case <-done:
	case <-time.After(closeTime):
	}
}

// logger passes warnings and errors of the server on. Safe for concurrent use.
type logger struct {
	log *slog.Logger
	// fatal has room for the error that ends the server.
	fatal chan string
}

// Noticef implements the server's Logger, as the other methods do.
func (l *logger) Noticef(string, ...any) {}

func (l *logger) Warnf(format string, v ...any) { l.log.Warn("broker: " + fmt.Sprintf(format, v...)) }

func (l *logger) Errorf(format string, v ...any) { l.log.Error("broker: " + fmt.Sprintf(format, v...)) }

func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

func (l *logger) Debugf(string, ...any) {}

func (l *logger) Tracef(string, ...any) {}
