package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

var operatorsListen = regexp.MustCompile(`msg="operators' listener" addr=(\S+)`)

// operators returns the URL of the operators' listener.
func (n *testNode) operators(t *testing.T) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if m := operatorsListen.FindStringSubmatch(n.logs.String()); m != nil {
			return "http://" + m[1]
		}
	}
	t.Fatalf("there is no operators' listener:\n%s", n.logs)
	return ""
}

// post makes a call of the API.
func post(t *testing.T, url, key, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	return do(t, request)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}

func do(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// A backend publishes by the API, and the checks answer on both listeners.
func TestOperatorsListener(t *testing.T) {
	n := startNode(t, "--admin-listen", "127.0.0.1:0", "--config", string(newConfigFile(t, both)))
	url := n.operators(t)
	c := n.dial(t)
	c.ask(t, `["join","r"]`)
	if status, body := post(t, url+"/api/emit", "", `{"rooms":["r"],"event":"news","args":[1]}`); status != 200 || body != `{"count":1,"exact":true}` {
		t.Errorf("emit: %d %s", status, body)
	}
	if got := c.event(t); got != `["news",1]` {
		t.Errorf("got %s", got)
	}
	for _, step := range []struct {
		body   string
		status int
		has    string
	}{
		{`{"namespace":"/room-7","event":"e"}`, 200, `"count":0`}, // of a pattern, without clients
		{`{"namespace":"/other","event":"e"}`, 404, "unknown_namespace"},
		{`{"event":"token"}`, 400, "reserved_event"},
		{`{"event":"e","args":["` + strings.Repeat("x", 1<<20) + `"]}`, 413, "too_large"},
	} {
		if status, body := post(t, url+"/api/emit", "", step.body); status != step.status || !strings.Contains(body, step.has) {
			t.Errorf("%.60s: %d %s", step.body, status, body)
		}
	}
	for _, page := range []string{"http://" + n.addr + "/healthz", "http://" + n.addr + "/readyz", url + "/healthz", url + "/readyz", url + "/openapi.json"} {
		if status, body := get(t, page); status != 200 {
			t.Errorf("%s: %d %s", page, status, body)
		}
	}
	if code := n.end(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
		t.Error("the operators' listener is open still")
	}
}

// The call reload changes the keys at once, names what has changed, and tells every error of a bad file.
func TestReloadCall(t *testing.T) {
	keys := newConfigFile(t, "one\n")
	config := "admin: {api_keys_file: " + string(keys) + "}\n"
	file := newConfigFile(t, config)
	n := startNode(t, "--admin-listen", "127.0.0.1:0", "--log-level", "info", "--config", string(file))
	url := n.operators(t) + "/api/reload"
	if status, body := post(t, url, "two", "{}"); status != 401 || !strings.Contains(body, "unauthorized") {
		t.Errorf("a wrong key: %d %s", status, body)
	}
	if err := os.WriteFile(string(keys), []byte("two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file.write(t, config+"log: {level: debug}\nnode: other\n")
	status, body := post(t, url, "one", "{}")
	var change map[string][]string
	want := map[string][]string{"changed": {"admin.api_keys_file"}, "restart": {"node"}, "overridden": {"log.level"}}
	if err := json.Unmarshal([]byte(body), &change); err != nil || status != 200 || !reflect.DeepEqual(change, want) {
		t.Errorf("reload: %d %s", status, body)
	}
	if status, _ := post(t, url, "one", "{}"); status != 401 {
		t.Errorf("the old key: %d", status)
	}
	file.write(t, config+"lisen: []\nengine: {loops: many}\n")
	status, body = post(t, url, "two", "{}")
	var problem struct {
		Code   string
		Errors []struct {
			Line         int
			Key, Message string
		}
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil || status != 422 || problem.Code != "bad_config" || len(problem.Errors) != 2 ||
		problem.Errors[0].Line != 2 || problem.Errors[0].Key != "lisen" || problem.Errors[1].Key != "engine.loops" {
		t.Errorf("a bad file: %d %s", status, body)
	}
	n = startNode(t, "--admin-listen", "127.0.0.1:0")
	if status, body := post(t, n.operators(t)+"/api/reload", "", "{}"); status != 422 || !strings.Contains(body, "without --config") {
		t.Errorf("without a file: %d %s", status, body)
	}
}

// An address that others reach needs a key; one that is set must be free, the default one need not be.
func TestOperatorsAddress(t *testing.T) {
	run := func(args ...string) (int, string) {
		t.Helper()
		var out logBuffer
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		code := execute(ctx, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...), io.Discard, &out)
		return code, out.String()
	}
	if code, out := run("--admin-listen", "0.0.0.0:0"); code != 1 || !strings.Contains(out, "siren: --admin-listen: ") || !strings.Contains(out, "admin.api_keys") {
		t.Errorf("without a key: %d\n%s", code, out)
	}
	t.Setenv("SIREN_ADMIN__API_KEYS", "a, b")
	if code, out := run("--admin-listen", "0.0.0.0:0"); code != 0 || !strings.Contains(out, "keys travel in clear") {
		t.Errorf("with a key: %d\n%s", code, out)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	code, out := run("--admin-listen", taken.Addr().String())
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 1 || !strings.Contains(lines[len(lines)-1], "address already in use") {
		t.Errorf("an address in use: %d\n%s", code, out)
	}
	t.Setenv("SIREN_ADMIN__LISTEN", "")
	if code, out := run(); code != 0 || strings.Contains(out, "operators' listener") {
		t.Errorf("turned off: %d\n%s", code, out)
	}
	if err := os.Unsetenv("SIREN_ADMIN__LISTEN"); err != nil {
		t.Fatal(err)
	}
	if ln, err := net.Listen("tcp", "127.0.0.1:3001"); err == nil {
		defer func() { _ = ln.Close() }()
	} // else somebody else has it
	if code, out := run(); code != 0 || !strings.Contains(out, "its default address is in use") {
		t.Errorf("the default address in use: %d\n%s", code, out)
	}
}

// pair writes a certificate of its own for 127.0.0.1, with the name, and its key.
func pair(t *testing.T, certFile, keyFile, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The operators' listener speaks TLS with the certificate of its files, which a reload reads again; one that cannot be
// read changes nothing.
func TestOperatorsTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair(t, certFile, keyFile, "first")
	file := newConfigFile(t, both+"admin: {tls: {cert_file: '"+certFile+"', key_file: '"+keyFile+"'}}\n")
	n := startNode(t, "--admin-listen", "127.0.0.1:0", "--config", string(file))
	address := strings.TrimPrefix(n.operators(t), "http://")
	name := ""
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		MaxVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			name = s.PeerCertificates[0].Subject.CommonName
			return nil
		},
	}}}
	call := func(method, path string) (int, string) {
		t.Helper()
		request, err := http.NewRequest(method, "https://"+address+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		r, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(body)
	}
	if status, body := call("POST", "/api/emit"); status != 400 || name != "first" {
		t.Errorf("%d %s with the certificate %q", status, body, name)
	}
	pair(t, certFile, keyFile, "second")
	if status, body := call("POST", "/api/reload"); status != 200 {
		t.Errorf("reload: %d %s", status, body)
	}
	if status, _ := call("GET", "/healthz"); status != 200 || name != "second" {
		t.Errorf("%d with the certificate %q", status, name)
	}
	if err := os.WriteFile(certFile, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, body := call("POST", "/api/reload"); status != 422 || !strings.Contains(body, "admin.tls: ") {
		t.Errorf("reload: %d %s", status, body)
	}
	if status, _ := call("GET", "/healthz"); status != 200 || name != "second" {
		t.Errorf("%d with the certificate %q", status, name)
	}
}

// A certificate that cannot be read is told at the start.
func TestOperatorsTLSIsTold(t *testing.T) {
	file := newConfigFile(t, "admin: {listen: '127.0.0.1:0', tls: {cert_file: /no/such/file, key_file: /no/such/file}}\n")
	var out logBuffer
	if code := execute(t.Context(), []string{"serve", "--addr", "127.0.0.1:0", "--config", string(file)}, &out, &out); code == 0 ||
		!strings.Contains(out.String(), "admin.tls: open /no/such/file") {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}
