package config

import "time"

// Config is the configuration of a node: every key, with its default in Default. The comment of a field is the text of
// its key in the reference, in the file that `siren config init` writes and in the JSON Schema. Immutable once loaded.
//
// Tags: key is the name, flag the flag of serve ("!" in front: the flag turns it off, and off is its text), is the rule
// of a value or of each item of a list (see rules), min and max are the bounds of a number or duration, enum lists the
// values of a string, reload:"live" marks what a reload changes in a running node, reload:"set" too unless that sets or
// unsets it, secret marks what is never shown.
type Config struct {
	// Addresses of the clients' listener: tcp://host:port, host:port, :port or unix://path.
	Listen []string `key:"listen" flag:"addr" is:"address" min:"1"`
	// Path of Socket.IO, with or without a trailing slash.
	Path string `key:"path" flag:"path" is:"path"`
	// Settings of the protocol.
	Engine Engine `key:"engine"`
	// Name of this node in webhooks and statistics. Empty: the name of the host.
	Node string `key:"node" flag:"node"`
	// Serve the demo page at / of the clients' listener.
	Demo bool `key:"demo" flag:"!no-demo" off:"Do not serve the demo page."`
	// Take over from a process that serves the same addresses, and let another one take over, for restarts that refuse
	// nobody. Linux only, and not with unix sockets.
	ReusePort bool `key:"reuse_port" flag:"reuse-port"`
	// The operators' listener: the API, metrics, health and profiles.
	Admin Admin `key:"admin"`
	// Serve the official Admin UI of Socket.IO.
	AdminUI AdminUI `key:"admin_ui"`
	// What pages of other origins may do.
	CORS CORS `key:"cors"`
	// Proxies in front of the clients' listener.
	Proxies Proxies `key:"proxies"`
	// Who may connect.
	Auth Auth `key:"auth"`
	// Rules of the namespaces. The rule with the name of a namespace holds, else the first whose pattern matches it; a
	// namespace without a rule does not exist. Left out: one
	// rule, for "/", with publish, join and presence.
	Namespaces []Namespace `key:"namespaces" min:"1" reload:"live"`
	// Limits of clients.
	Limits Limits `key:"limits"`
	// Requests that tell a backend what clients do.
	Webhooks Webhooks `key:"webhooks"`
	// The broker that joins nodes to one cluster.
	Broker Broker `key:"broker"`
	// Pass requests on to the node that has their session, in place of sticky sessions.
	Forward Forward `key:"forward"`
	// How the node ends.
	Drain Drain `key:"drain"`
	// Log of the node, on standard error.
	Log Log `key:"log"`
}

// Engine has the settings of the Engine.IO protocol.
type Engine struct {
	// Time between two heartbeats.
	PingInterval time.Duration `key:"ping_interval" flag:"ping-interval" min:"1ms"`
	// How long a client may take to answer a heartbeat.
	PingTimeout time.Duration `key:"ping_timeout" flag:"ping-timeout" min:"1ms"`
	// Bytes of one message. A larger one ends its connection.
	MaxPayload int `key:"max_payload" flag:"max-payload" min:"1" max:"268435456"`
	// Serve clients of Socket.IO 2 as well (Engine.IO protocol 3).
	AllowEIO3 bool `key:"allow_eio3" flag:"allow-eio3"`
	// Compress WebSocket messages of 1 KiB and more for clients that offer it (permessage-deflate).
	Compress bool `key:"compress" flag:"compress"`
	// How long a client that lost its connection may come back with what it missed, such as 2m. 0s: it may not.
	Recovery time.Duration `key:"recovery" flag:"recovery" min:"0s"`
	// Event loops. 0: one for each CPU that the process may use.
	Loops int `key:"loops" flag:"loops" min:"0" max:"256"`
}

// Admin is the operators' listener.
type Admin struct {
	// Address of the operators' listener: host:port, or unix://path. Empty: no such listener. Without API keys only a
	// loopback address or a unix socket may be bound.
	Listen string `key:"listen" flag:"admin-listen" is:"admin"`
	// Certificate of the operators' listener.
	TLS TLS `key:"tls"`
	// Requests a second that all operators together may make, but for /healthz, /readyz and the like. 0: no limit.
	RequestsPerSecond int `key:"requests_per_second" min:"0" reload:"live"`
	// Keys that open the API (Authorization: Bearer KEY, or X-API-Key: KEY).
	APIKeys []string `key:"api_keys" is:"apikey" secret:"yes" reload:"live"`
	// File with more of such keys, one a line.
	APIKeysFile SecretFile `key:"api_keys_file" reload:"live"`
	// Bytes of a request's body.
	MaxBody int `key:"max_body" min:"1024" max:"268435456"`
	// Ask for a key at /metrics too.
	ProtectMetrics bool `key:"protect_metrics" reload:"live"`
}

// TLS is a certificate with its key.
type TLS struct {
	// File with the certificate chain, PEM. A reload reads it again, for certificates that are renewed. Empty: no TLS; to
	// turn it on or off needs a restart.
	CertFile string `key:"cert_file" reload:"set"`
	// File with the private key, PEM.
	KeyFile string `key:"key_file" reload:"set"`
}

// AdminUI is the endpoint of the official Admin UI.
type AdminUI struct {
	// Serve the official Admin UI in the namespace /admin. Its page's origin has to be in cors.origins.
	Enabled bool `key:"enabled" reload:"live"`
	// Name to sign in with.
	Username string `key:"username" reload:"live"`
	// Hash of the password to sign in with (bcrypt).
	PasswordBcrypt string `key:"password_bcrypt" secret:"yes" reload:"live"`
	// File with that hash.
	PasswordBcryptFile SecretFile `key:"password_bcrypt_file" reload:"live"`
	// Refuse all commands of the Admin UI.
	Readonly bool `key:"readonly" reload:"live"`
	// How much the Admin UI is told: production leaves single events and sockets out.
	Mode string `key:"mode" enum:"production,development" reload:"live"`
}

// CORS says what pages of other origins may do.
type CORS struct {
	// Origins whose pages may connect, as https://app.example, or "*". With a list, pages of other origins are refused.
	// Empty: every page may connect, but read nothing by polling.
	Origins []string `key:"origins" flag:"cors-origin" is:"origin" reload:"live"`
}

// Proxies are those in front of the clients' listener.
type Proxies struct {
	// Addresses or prefixes of proxies whose X-Forwarded-For is believed, as 10.0.0.0/8.
	Trusted []string `key:"trusted" flag:"trusted-proxy" is:"prefix"`
	// Expect a PROXY protocol header, version 1 or 2, on each connection.
	ProxyProtocol bool `key:"proxy_protocol" flag:"proxy-protocol"`
}

// Auth says who may connect.
type Auth struct {
	// Refuse clients without a token, in all namespaces whose rule does not say otherwise.
	Required bool `key:"required" reload:"live"`
	// Which tokens are accepted.
	JWT JWT `key:"jwt"`
}

// JWT says which tokens are accepted.
type JWT struct {
	// Secrets of HS256, HS384 and HS512: the first one signs (siren token), all are accepted.
	HMACSecrets []string `key:"hmac_secrets" is:"secret" secret:"yes" reload:"live"`
	// File with more of such secrets, one a line.
	HMACSecretsFile SecretFile `key:"hmac_secrets_file" reload:"live"`
	// File with a public key or certificate, PEM.
	PublicKeyFile string `key:"public_key_file" reload:"live"`
	// Address of a JSON Web Key Set: https, or http on a loopback address.
	JWKSURL string `key:"jwks_url" is:"secureurl" reload:"live"`
	// File with a JSON Web Key Set.
	JWKSFile string `key:"jwks_file" reload:"live"`
	// Algorithms that are accepted. Empty: all that the keys can have.
	Algorithms []string `key:"algorithms" is:"algorithm" reload:"live"`
	// Value that the claim iss must have. Empty: any.
	Issuer string `key:"issuer" reload:"live"`
	// Value that the claim aud must have or contain. Empty: any.
	Audience string `key:"audience" reload:"live"`
	// Accept tokens without exp, which never end.
	AllowNoExp bool `key:"allow_no_exp" reload:"live"`
}

// Namespace is the rule of one namespace, or of all whose names match a pattern.
type Namespace struct {
	// Name of the namespace, as "/" or "/chat".
	Name string `key:"name" is:"namespace"`
	// Regular expression that names of namespaces match, in place of a name, as "^/room-[0-9]+$".
	Pattern string `key:"pattern" is:"regexp"`
	// Whether clients need a token: anonymous or token. Left out: token where auth.required is on, else anonymous.
	Auth string `key:"auth" enum:"anonymous,token"`
	// Whether clients may publish.
	Publish bool `key:"publish"`
	// Whether clients may join rooms.
	Join bool `key:"join"`
	// Whether clients are told how many sockets there are.
	Presence bool `key:"presence"`
	// Rooms that clients may join or publish to: names, in which * stands for any characters. Left out: ["*"].
	Rooms []string `key:"rooms" is:"room"`
	// Names of clients' events that go to the backend. "*": all but join, leave, publish and token, which go there, in
	// place of the node, by their names.
	WebhookEvents []string `key:"webhook_events" is:"event"`
}

// Limits of clients.
type Limits struct {
	// Connections at once, on either transport; further ones get 503. Pages and health checks are served all the same.
	// 0: as many as the limit of open files allows.
	Connections int `key:"connections" flag:"max-conns" min:"0" reload:"live"`
	// Connections at once of one client address, or network (/64) of IPv6; further ones get 429. Behind a proxy this needs
	// proxies.trusted. 0: no limit.
	ConnectionsPerAddress int `key:"connections_per_address" min:"0" max:"1000000000" reload:"live"`
	// New connections a second, of all clients together; further ones get 503. 0: no limit.
	AcceptsPerSecond int `key:"accepts_per_second" min:"0" max:"1000000000" reload:"live"`
	// Events a second of one connection. An event in excess is dropped, and a client that goes on for 5 s is
	// disconnected. 0: no limit.
	EventsPerSecond int `key:"events_per_second" min:"0" max:"1000000000" reload:"live"`
	// Bytes a second of one connection, as events_per_second. A longer event is always in excess. 0: no limit.
	BytesPerSecond int `key:"bytes_per_second" min:"0" max:"1000000000" reload:"live"`
	// Rooms that one socket may be in.
	RoomsPerSocket int `key:"rooms_per_socket" min:"1" max:"1000000" reload:"live"`
	// Bytes that wait for one client, which is disconnected at more. At least twice engine.max_payload. Left out:
	// 2097152, or twice engine.max_payload where that is more.
	QueueBytes int `key:"queue_bytes" flag:"queue-bytes" min:"1" max:"1073741824"`
	// Bytes that all clients together may hold. 0: a quarter of what GOMEMLIMIT, the control group or the machine
	// allows. -1: no bound.
	MemoryBytes int64 `key:"memory_bytes" flag:"memory-budget" min:"-1"`
}

// Webhooks tell a backend what clients do.
type Webhooks struct {
	// Address of the backend, which gets POST requests. Empty: no webhooks.
	URL string `key:"url" is:"url" reload:"live"`
	// Secrets that sign the requests, as whsec_BASE64 or text. Each signs, the first one first.
	Secrets []string `key:"secrets" is:"hooksecret" secret:"yes" reload:"live"`
	// File with more of such secrets, one a line.
	SecretsFile SecretFile `key:"secrets_file" reload:"live"`
	// What the backend is told: connects, disconnects, events.
	Events []string `key:"events" enum:"connect,disconnect,event" reload:"live"`
	// Header fields of the client's first request that are passed on.
	Headers []string `key:"headers" is:"header" reload:"live"`
	// How long the backend may take to answer.
	Timeout time.Duration `key:"timeout" min:"1ms" max:"5m" reload:"live"`
	// Requests at once.
	MaxInFlight int `key:"max_in_flight" min:"1" max:"10000"`
	// Requests that wait.
	Queue int `key:"queue" min:"1" max:"1000000"`
	// What happens to clients that connect while the backend is down: they are refused (deny) or let in (allow).
	OnFailure string `key:"on_failure" enum:"deny,allow" reload:"live"`
}

// Broker joins nodes to one cluster.
type Broker struct {
	// Address of the broker: redis://host:port or nats://host:port, with TLS rediss:// or tls://; or embedded, for a
	// broker in the nodes themselves. Empty: this node is alone.
	URL string `key:"url" flag:"broker" is:"broker"`
	// The broker in the nodes themselves, for broker.url embedded.
	Embedded Embedded `key:"embedded"`
}

// Embedded is a broker in the nodes themselves.
type Embedded struct {
	// Address that the other nodes' brokers connect to: host:port or :port.
	Listen string `key:"listen" flag:"broker-listen" is:"private"`
	// Addresses of other nodes' brokers, host:port. Those that one of them knows are found too.
	Routes []string `key:"routes" flag:"broker-route" is:"private"`
	// File with the secret that the nodes share, one line. Brokers without it are refused.
	SecretFile SecretFile `key:"secret_file" flag:"broker-secret-file"`
}

// Forward passes requests on to the node that has their session.
type Forward struct {
	// Address that other nodes connect to, host:port, in a private network. Empty: nothing is passed on. Port 0 picks a
	// free port, which reuse_port needs.
	Listen string `key:"listen" is:"private"`
	// Address that other nodes are told, with or without a port. Empty: listen, which then must have a host.
	Advertise string `key:"advertise"`
	// Addresses of other nodes, as their forward.listen or forward.advertise has them. With a broker nodes find each
	// other.
	Peers []string `key:"peers" is:"private"`
	// File with the secret that the nodes share, one line of 16 characters and more.
	SecretFile SecretFile `key:"secret_file"`
}

// Drain says how the node ends.
type Drain struct {
	// How long new clients are let in after /readyz has turned, for load balancers to see it.
	Grace time.Duration `key:"grace" flag:"drain-grace" min:"0s" max:"1h" reload:"live"`
	// How long the end may take, from the end of grace on. What is left then is closed, and the exit code is 3.
	Timeout time.Duration `key:"timeout" flag:"drain-timeout" min:"1ms" max:"24h" reload:"live"`
	// The time over which clients are disconnected, for them not to come to the next node all at once. Left out: 10s, or
	// drain.timeout where that is less.
	Spread time.Duration `key:"spread" flag:"drain-spread" min:"0s" max:"24h" reload:"live"`
}

// Log of the node.
type Log struct {
	// Least level of a line: debug, info, warn or error.
	Level string `key:"level" flag:"log-level" enum:"debug,info,warn,error" reload:"live"`
	// Format of a line: text or json.
	Format string `key:"format" flag:"log-format" enum:"text,json"`
}
