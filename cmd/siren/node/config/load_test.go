package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// write puts text into a file of the test.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load reads text as a file, with the environment and the command line.
func load(t testing.TB, text string, environ, args []string) (*Loaded, error) {
	t.Helper()
	set := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags := AddFlags(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(Sources{File: write(t, "siren.yaml", text), Environ: environ, Flags: flags})
}

// problems are the errors of a file, as "line: key: message".
func problems(t testing.TB, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var all Problems
	if !errors.As(err, &all) {
		t.Fatalf("%T is not Problems: %v", err, err)
	}
	var lines []string
	for i := range all {
		text := all[i].Error()
		if all[i].File != "" {
			_, text, _ = strings.Cut(text, "siren.yaml:")
		}
		lines = append(lines, text)
	}
	return lines
}

func TestDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "{}", "admin:\nlimits:\n  # connections: 5\n"} {
		l, err := load(t, text, nil, nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if !reflect.DeepEqual(l.Config, Default()) {
			t.Errorf("%q: %+v", text, l.Config)
		}
	}
}

func TestPrecedence(t *testing.T) {
	const file = "log: {level: warn, format: json}\nnode: file\nlisten: [':1']\n"
	environ := []string{"SIREN_LOG__LEVEL=error", "SIREN_NODE=env", "SIREN_LISTEN=:2, :3", "PATH=/bin"}
	l, err := load(t, file, environ, []string{"--node", "flag", "--max-conns=7"})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.Log.Format != "json" || c.Log.Level != "error" || c.Node != "flag" || c.Limits.Connections != 7 ||
		!slices.Equal(c.Listen, []string{":2", ":3"}) || c.Path != "/socket.io" {
		t.Errorf("%+v", c)
	}
	var out strings.Builder
	if err := l.Show(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"node: flag  # --node\n", "log.level: error  # SIREN_LOG__LEVEL\n", `listen: [":2", ":3"]  # SIREN_LISTEN` + "\n",
		"path: /socket.io  # default\n", "limits.connections: 7  # --max-conns\n", "siren.yaml:1\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// All errors are told at once, each with its line and key.
func TestEveryError(t *testing.T) {
	const file = `listen: tcp://:3000
path: socket.io
engine:
  ping_interval: 25
  max_payload: 0
  loops: 257
  compress: "yes"
admin:
  listen: 0.0.0.0:3001
  api_key: [secret]
  max_body: 1e6
limits: {connections: -1, rooms_per_sockets: 5}
log: {level: loud}
namespaces:
  - {name: /a, pattern: "^/a"}
  - {name: /b, publsh: true}
  - {publish: true}
  - {name: /b}
  - {pattern: "("}
  - {name: "b"}
  - {name: /c, rooms: [""], auth: maybe}
ping_interval: 3s
listen: [":1"]
tls: {}
cors: {origins: ["*", "https://x"]}
broker: {url: "http://nats:4222"}
`
	_, err := load(t, file, nil, nil)
	want := []string{
		`1: listen: must be a list: ["tcp://:3000"]`,
		`2: path: must begin with a slash and be more than that`,
		`4: engine.ping_interval: must be a duration such as 500ms, 25s or 2m, not "25"`,
		`5: engine.max_payload: must be between 1 and 268435456`,
		`6: engine.loops: must be between 0 and 256`,
		`7: engine.compress: must be true or false, not "yes"`,
		`9: admin.listen: "0.0.0.0:3001" can be reached by others, which needs a key: set admin.api_keys or admin.api_keys_file, or listen on 127.0.0.1 or a unix socket`,
		`10: admin.api_key: unknown key; did you mean admin.api_keys?`,
		`11: admin.max_body: must be a whole number between 1024 and 268435456, not "1e6"`,
		`12: limits.connections: must not be negative`,
		`12: limits.rooms_per_sockets: unknown key; did you mean limits.rooms_per_socket?`,
		`13: log.level: must be one of debug, info, warn, error, not "loud"`,
		`15: namespaces[0]: has both a name and a pattern; they are two rules`,
		`16: namespaces[1].publsh: unknown key; did you mean publish?`,
		`17: namespaces[2]: needs a name or a pattern`,
		`18: namespaces[3].name: "/b" has a rule already, namespaces[1]`,
		"19: namespaces[4].pattern: must be a regular expression: error parsing regexp: missing closing ): `(`",
		`20: namespaces[5].name: "b" is not the name of a namespace: a slash, and at most 512 bytes without commas, question marks and control characters`,
		`21: namespaces[6].rooms[0]: "" is not the name of a room: 1 to 128 bytes without control characters`,
		`21: namespaces[6].auth: must be one of anonymous, token, not "maybe"`,
		`22: ping_interval: unknown key; did you mean engine.ping_interval?`,
		`23: listen: is there twice, first in line 1`,
		`24: tls: is not supported yet by this version; leave it out`,
		`25: cors.origins: "*" stands alone`,
		`26: broker.url: must be a URL with redis://, rediss://, nats:// or tls:// and a host, unix:// and a path, or embedded`,
	}
	if got := problems(t, err); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// bcryptHash is that of "changeit".
const bcryptHash = "$2b$10$Q7eH9m0mrmUcQxCkQ0bHQOq3GgQz1bRrO3nC8pYJr8u6m1uFQ9n1C"

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		environ []string
		args    []string
		want    string
	}{
		"not YAML":              {file: "a: b: c", want: "1: not YAML: mapping values are not allowed in this context"},
		"not YAML, later":       {file: "node: a\nlog: [\n", want: "did not find expected node content"},
		"text":                  {file: "hello", want: "must be a mapping with the keys listen, path,"},
		"list":                  {file: "- 1", want: "must be a mapping"},
		"two documents":         {file: "node: a\n---\nnode: b\n", want: "a second document begins here"},
		"section is text":       {file: "admin: off", want: "1: admin: must be a mapping with the keys listen, tls,"},
		"null":                  {file: "node:", want: "1: node: has no value; leave it out for the default"},
		"number for text":       {file: "node: 5", want: "1: node: must be text; put it in quotes"},
		"list for text":         {file: "node: [a]", want: "1: node: must be text"},
		"mapping for a list":    {file: "listen: {a: b}", want: "1: listen: must be a list"},
		"number in a list":      {file: "admin: {api_keys: [5]}", want: "1: admin.api_keys[0]: must be text; put it in quotes"},
		"empty list":            {file: "listen: []", want: "1: listen: must not be empty"},
		"no rules":              {file: "namespaces: []", want: "1: namespaces: must be a list of at least one rule"},
		"rule is text":          {file: "namespaces: [/]", want: "1: namespaces[0]: must be a mapping with the keys name, pattern,"},
		"merge key":             {file: "<<: {node: a}", want: "<<: merge keys are not supported"},
		"own path":              {file: "path: /healthz/", want: "1: path: must not be /healthz"},
		"queue":                 {file: "limits: {queue_bytes: 1999999}", want: "1: limits.queue_bytes: is 1999999, less than twice engine.max_payload (1000000); must be at least 2000000"},
		"spread":                {file: "drain: {spread: 31s}", want: "1: drain.spread: is 31s, more than drain.timeout (30s)"},
		"queue and payload":     {file: "engine: {max_payload: 2000000}\nlimits: {queue_bytes: 2097152}", want: "2: limits.queue_bytes: is 2097152, less than twice engine.max_payload (2000000)"},
		"admin without host":    {file: "admin: {listen: ':3001'}", want: `1: admin.listen: ":3001" can be reached by others`},
		"a port alone":          {file: "listen: ['33520']", want: "or unix://path; for port 33520 write :33520"},
		"https":                 {file: "listen: ['https://x:1']", want: "or unix://path; for TLS put a proxy in front"},
		"tls":                   {file: "admin: {listen: 'tls://:3001'}", want: "or unix://path; for TLS put a proxy in front"},
		"admin without port":    {file: "admin: {listen: '127.0.0.1'}", want: "1: admin.listen: \"127.0.0.1\": missing port"},
		"key is not visible":    {file: "admin: {api_keys: [\"a b\"]}", want: "1: admin.api_keys[0]: must have visible ASCII characters only"},
		"no key file":           {file: "admin: {api_keys_file: /no/such/file}", want: "1: admin.api_keys_file: cannot be read: "},
		"key file is directory": {file: "admin: {api_keys_file: /}", want: "is a directory"},
		"half a certificate":    {file: "admin: {tls: {cert_file: x}}", want: "1: admin.tls.cert_file: needs admin.tls.key_file"},
		"half of the other":     {file: "admin: {tls: {key_file: x}}", want: "1: admin.tls.key_file: needs admin.tls.cert_file"},
		"TLS of a socket":       {file: "admin: {listen: 'unix:///x', tls: {cert_file: x, key_file: y}}", want: "1: admin.tls.cert_file: is for a TCP address"},
		"metrics without keys":  {file: "admin: {protect_metrics: true}", want: "1: admin.protect_metrics: needs a key"},
		"token without keys":    {file: "namespaces: [{name: /, auth: token}]", want: "1: namespaces[0].auth: needs a key to check tokens with"},
		"hooks without url":     {file: "namespaces: [{name: /, webhook_events: ['*']}]", want: "1: namespaces[0].webhook_events: needs webhooks.url"},
		"nobody may sign in":    {file: "admin_ui: {enabled: true, password_bcrypt: " + bcryptHash + "}", want: "1: admin_ui.enabled: needs a name to sign in with"},
		"sign in without hash":  {file: "admin_ui: {enabled: true, username: a}", want: "1: admin_ui.enabled: needs the bcrypt hash of a password"},
		"password for its hash": {file: "admin_ui: {enabled: true, username: a, password_bcrypt: changeit}", want: "1: admin_ui.password_bcrypt: is no bcrypt hash"},
		"hash of hours":         {file: "admin_ui: {enabled: true, username: a, password_bcrypt: " + strings.Replace(bcryptHash, "$10$", "$17$", 1) + "}", want: "1: admin_ui.password_bcrypt: has the cost 17"},
		"mode of the Admin UI":  {file: "admin_ui: {mode: debug}", want: `1: admin_ui.mode: must be one of production, development, not "debug"`},
		"rule of the Admin UI":  {file: "namespaces: [{name: /admin}]\nadmin_ui: {enabled: true, username: a, password_bcrypt: " + bcryptHash + "}", want: `1: namespaces[0].name: "/admin" is the namespace of the Admin UI`},
		"origin":                {file: "cors: {origins: ['https://x/']}", want: `1: cors.origins[0]: "https://x/"`},
		"variable":              {environ: []string{"SIREN_ENGINE__LOOPS=many"}, want: `SIREN_ENGINE__LOOPS: must be a whole number between 0 and 256, not "many"`},
		"empty number":          {environ: []string{"SIREN_ENGINE__LOOPS="}, want: "SIREN_ENGINE__LOOPS: must be a whole number"},
		"variable of a list":    {environ: []string{"SIREN_LISTEN=:1,"}, want: "SIREN_LISTEN: item 2: must not be empty"},
		"empty variable":        {environ: []string{"SIREN_LISTEN="}, want: "SIREN_LISTEN: must not be empty"},
		"variable of rules":     {environ: []string{"SIREN_NAMESPACES=/"}, want: "SIREN_NAMESPACES: must be a list in brackets"},
		"variable not YAML":     {environ: []string{"SIREN_NAMESPACES=[{"}, want: "SIREN_NAMESPACES: not YAML"},
		"flag":                  {args: []string{"--loops", "x"}, want: "--loops: must be a whole number"},
		"flag of a list":        {args: []string{"--addr="}, want: "--addr: must not be empty"},
		"flag to turn off":      {args: []string{"--no-demo=perhaps"}, want: "--no-demo: must be true or false"},
		"flag payload":          {file: "limits: {queue_bytes: 2000000}", args: []string{"--max-payload", "2000000"}, want: "1: limits.queue_bytes: is 2000000, less than"},
		"half a broker":         {environ: []string{"SIREN_BROKER__EMBEDDED__LISTEN=:1"}, want: "SIREN_BROKER__EMBEDDED__LISTEN: needs broker.url: embedded"},
		"shared unix socket":    {file: "listen: [unix:///s]", args: []string{"--reuse-port"}, want: "--reuse-port: processes cannot share the unix socket unix:///s"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.file, c.environ, c.args)
			got := problems(t, err)
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "%!") {
				t.Error(err)
			}
		})
	}
}

// What this version does not support may be written down with its default.
func TestLaterKeysMayHaveDefaults(t *testing.T) {
	file := "drain: {grace: 0s, timeout: 30s}\nbroker: {url: '', embedded: {routes: []}}\nreuse_port: false\n"
	if _, err := load(t, file, []string{"SIREN_ADMIN_UI__ENABLED=false"}, []string{"--reuse-port=false"}); err != nil {
		t.Error(err)
	}
}

func TestRules(t *testing.T) {
	const file = `namespaces:
  - name: /chat
  - {pattern: "^/room-[0-9]+$", publish: true, rooms: [], join: true, presence: true}
  - &all {name: /x, rooms: ["a-*", b]}
`
	want := []Namespace{
		{Name: "/chat", Rooms: []string{"*"}},
		{Pattern: "^/room-[0-9]+$", Publish: true, Join: true, Presence: true, Rooms: []string{}},
		{Name: "/x", Rooms: []string{"a-*", "b"}},
	}
	l, err := load(t, file, nil, nil)
	if err != nil || !reflect.DeepEqual(l.Config.Namespaces, want) {
		t.Errorf("%v, %+v", err, l)
	}
	l, err = load(t, "", []string{`SIREN_NAMESPACES=[{"name":"/e","join":true}]`}, nil)
	want = []Namespace{{Name: "/e", Join: true, Rooms: []string{"*"}}}
	if err != nil || !reflect.DeepEqual(l.Config.Namespaces, want) {
		t.Errorf("%v, %+v", err, l)
	}
}

// A queue whose bound is left out takes the largest message twice.
func TestQueueFollowsPayload(t *testing.T) {
	for args, want := range map[string]int{"": 2 << 20, "--max-payload=1000": 2 << 20, "--max-payload=9000000": 18_000_000} {
		l, err := load(t, "", nil, strings.Fields(args))
		if err != nil || l.Config.Limits.QueueBytes != want {
			t.Errorf("%q: %v, %+v", args, err, l)
		}
	}
}

// Every kind of value, in YAML, in JSON and from variables.
func TestValues(t *testing.T) {
	check := func(l *Loaded, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
			return
		}
		c := l.Config
		if c.Engine.PingTimeout != 1500*time.Millisecond || !c.Engine.AllowEIO3 || c.Engine.Recovery != 0 || c.Limits.MemoryBytes != -1 ||
			!slices.Equal(c.Proxies.Trusted, []string{"10.0.0.0/8", "::1"}) || c.Demo || c.Admin.Listen != "" {
			t.Errorf("%+v", c)
		}
	}
	check(load(t, `
engine: {ping_timeout: 1.5s, allow_eio3: true, recovery: 0}
limits: {memory_bytes: -1}
proxies: {trusted: [10.0.0.0/8, "::1"]}
demo: false
admin: {listen: ""}
`, nil, nil))
	check(load(t, `{"engine":{"ping_timeout":"1.5s","allow_eio3":true,"recovery":"0s"},"limits":{"memory_bytes":-1},`+
		`"proxies":{"trusted":["10.0.0.0/8","::1"]},"demo":false,"admin":{"listen":""}}`, nil, nil))
	check(load(t, "", []string{"SIREN_ENGINE__PING_TIMEOUT=1.5s", "SIREN_ENGINE__ALLOW_EIO3=1", "SIREN_LIMITS__MEMORY_BYTES=-1",
		"SIREN_PROXIES__TRUSTED=10.0.0.0/8, ::1", "SIREN_DEMO=FALSE", "SIREN_ADMIN__LISTEN="}, nil))
	check(load(t, "", nil, []string{"--ping-timeout", "1500ms", "--allow-eio3", "--memory-budget=-1",
		"--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1", "--no-demo", "--admin-listen", ""}))
}

func TestUnknownVariablesWarn(t *testing.T) {
	l, err := load(t, "", []string{"SIREN_PORT=tcp://10.0.0.1:3000", "SIREN_ADMIN_LISTEN=:1", "SIREN_API_KEY=k", "SIRENS=1"}, nil)
	want := []string{
		"SIREN_ADMIN_LISTEN is not a key of the configuration and is ignored; did you mean SIREN_ADMIN__LISTEN?",
		"SIREN_PORT is not a key of the configuration and is ignored",
	}
	if err != nil || !slices.Equal(l.Warnings, want) {
		t.Errorf("%v, %q", err, l.Warnings)
	}
}

func TestSecretFiles(t *testing.T) {
	path := write(t, "keys", "one\r\n\n two \n")
	l, err := load(t, "admin: {api_keys: [zero], api_keys_file: "+path+", listen: '0.0.0.0:0'}", nil, nil)
	if err != nil || !slices.Equal(l.Config.Admin.Keys(), []string{"zero", "one", "two"}) {
		t.Fatalf("%v, %+v", err, l)
	}
	var out strings.Builder
	_ = l.Show(&out)
	if text := out.String(); strings.Contains(text, "zero") || strings.Contains(text, "two") || !strings.Contains(text, `admin.api_keys: ["***"]`) {
		t.Errorf("secrets are shown:\n%s", text)
	}
	hashes := write(t, "hash", bcryptHash+"\n")
	l, err = load(t, "admin_ui: {enabled: true, username: ann, password_bcrypt_file: "+hashes+"}", nil, nil)
	if err != nil || !slices.Equal(l.Config.AdminUI.Hashes(), []string{bcryptHash}) {
		t.Errorf("the hash of a file: %v", err)
	}
	both := "admin_ui: {enabled: true, username: ann, password_bcrypt: " + bcryptHash + ", password_bcrypt_file: " + hashes + "}"
	if _, err := load(t, both, nil, nil); err == nil || !strings.Contains(err.Error(), "there are 2 hashes") {
		t.Errorf("two hashes: %v", err)
	}
	if _, err := load(t, "admin: {api_keys_file: /dev/zero}", nil, nil); err == nil || !strings.Contains(err.Error(), "is larger than") {
		t.Errorf("a file without an end: %v", err)
	}
	if _, err := load(t, "admin: {api_keys_file: "+write(t, "empty", "\n")+"}", nil, nil); err == nil {
		t.Error("an empty file of keys is accepted")
	}
}

// Errors do not repeat secrets.
func TestErrorsHideSecrets(t *testing.T) {
	for _, file := range []string{
		"admin: {api_keys: hunter2}", "admin: {api_keys: ['hunter2 ']}", "admin: {api_keys: [{hunter2: 1}]}",
		"auth: {jwt: {hmac_secrets: hunter2}}", "auth: {jwt: {hmac_secrets: [' hunter2']}}", "webhooks: {secrets: hunter2}",
		"webhooks: {secrets: [whsec_hunter2]}",
	} {
		_, err := load(t, file, nil, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A small file with aliases cannot stand for very many values.
func TestAliases(t *testing.T) {
	l, err := load(t, "cors: {origins: &o ['https://a', 'https://b']}\nproxies: {trusted: []}\nnode: &n x\nengine: {}\n"+
		"namespaces:\n - &r {name: /}\n - {name: /b, rooms: &p [a, b]}\n - {name: /c, rooms: *p}\n", nil, nil)
	if err != nil || !slices.Equal(l.Config.Namespaces[2].Rooms, []string{"a", "b"}) {
		t.Errorf("%v, %+v", err, l)
	}
	var file strings.Builder
	file.WriteString("namespaces:\n - &a {pattern: x, rooms: [" + strings.Repeat("a,", 5000) + "a]}\n" + strings.Repeat(" - *a\n", 5000))
	if _, err := load(t, file.String(), nil, nil); err == nil || !strings.Contains(err.Error(), "more than 200000 values") {
		t.Errorf("%.200v", err)
	}
	if _, err := load(t, "a: &a [*a]\nlisten: &b [*b]\n", nil, nil); err == nil {
		t.Error("an alias of itself is accepted")
	}
}

func TestFileSize(t *testing.T) {
	if _, err := load(t, strings.Repeat("#\n", fileBytesMax), nil, nil); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("%.200v", err)
	}
	if _, err := Load(Sources{File: "/no/such/file"}); err == nil || err.Error() != "open /no/such/file: no such file or directory" {
		t.Error(err)
	}
}

// FuzzLoad: no text makes loading panic, and what is loaded without an error is a configuration that can be shown.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{Sample(), "", "a: b: c", "namespaces: [{name: /, rooms: [a]}]", "listen: &a [*a]", "- \x00", "engine: {loops: 1e3}"} {
		f.Add(text, "SIREN_LISTEN=:1", ":3000")
	}
	f.Fuzz(func(t *testing.T, text, variable, addr string) {
		l, err := load(t, text, []string{variable}, []string{"--addr", addr})
		if err != nil {
			if all := problems(t, err); len(all) == 0 || slices.Contains(all, "") {
				t.Errorf("an error without a message: %q", all)
			}
			return
		}
		if err := l.Show(&strings.Builder{}); err != nil {
			t.Error(err)
		}
	})
}
