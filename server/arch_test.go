package server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/seed58c87869/siren"

// TestImports holds the packages to the table in ARCHITECTURE.md: who may enter whose room.
func TestImports(t *testing.T) {
	gnet, prometheus := "github.com/panjf2000/gnet/v2", "github.com/prometheus/client_golang/prometheus"
	// What a package may import, its own imports bring along.
	session := []string{"/codec/httpwire", "/codec/wsframe", "/codec/deflate", "/codec/eio", "/codec/quote", "/codec/proxyproto", "/poller/wheel", "/poller/memory", "/session/limit"}
	server := append([]string{"/server/attach", "/room/cluster", "/session", "/session/mount", "/room", "/poller", "/poller/stream", "/codec/sio", "/codec/msgpack", "/server/logqueue", "/server/parser", "/server/internal/packets",
		"/server/internal/history", "/server/internal/roster", "/server/internal/peers", "/server/internal/socketctx", "/server/internal/stack", "/server/internal/host",
		"/server/internal/deadline", "/server/internal/listeners", "/server/internal/paging", "/server/internal/keyed", "/server/internal/shown", "/server/internal/consumer", "/server/internal/users", "/server/internal/clock", "/server/internal/collect", "/server/internal/partial", "/server/internal/early", "/server/internal/tally", "/server/internal/refusal", "/server/internal/walk", "/server/internal/edits"}, session...)
	for _, row := range []struct {
		pkg   string
		own   []string // packages of the project it may depend on
		never []string // others it must not
	}{
		{"/codec/quote", nil, []string{gnet}},
		{"/codec/httpwire", nil, []string{gnet}},
		{"/codec/wsframe", nil, []string{gnet}},
		{"/codec/eio", []string{"/codec/quote"}, []string{gnet}},
		{"/codec/proxyproto", nil, []string{gnet}},
		{"/codec/sio", []string{"/codec/quote"}, []string{gnet}},
		{"/codec/msgpack", []string{"/codec/quote"}, []string{gnet}},
		{"/codec/deflate", nil, []string{gnet}},
		{"/poller/wheel", nil, []string{gnet}},
		{"/poller/memory", nil, []string{gnet}},
		{"/session/limit", nil, []string{gnet}},
		{"/poller/stream", []string{"/poller/wheel", "/poller/memory"}, []string{gnet}},
		{"/poller/pollertest", []string{"/poller/wheel", "/poller/memory", "/poller/stream"}, []string{gnet}},
		{"/poller", []string{"/poller/wheel", "/poller/memory", "/poller/stream"}, nil},
		{"/poller/portshare", nil, []string{gnet}},
		{"/poller/pollertest/netns", nil, []string{gnet}},
		{"/session/sessiontest", nil, []string{gnet}},
		{"/server/logqueue/logtest", nil, []string{gnet}},
		{"/room", nil, []string{gnet}},
		{"/session", session, []string{gnet}},
		{"/server/attach", append([]string{"/session", "/poller/stream"}, session...), []string{gnet}},
		{"/session/mount", append([]string{"/session", "/poller", "/poller/stream"}, session...), []string{module + "/room"}},
		{"/room/cluster", []string{"/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/room/cluster/internal/broker", []string{"/room/cluster", "/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet, module + "/server"}},
		{"/room/cluster/internal/brokertest", []string{"/room/cluster", "/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet, module + "/server"}},
		{"/room/cluster/internal/echo", []string{"/room/cluster", "/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet, module + "/server"}},
		{"/room/cluster/redis", []string{"/room/cluster", "/room/cluster/internal/broker", "/room/cluster/internal/echo", "/codec/sio", "/codec/eio", "/codec/msgpack", "/codec/quote"}, []string{gnet}},
		{"/room/cluster/nats", []string{"/room/cluster", "/room/cluster/internal/broker", "/codec/sio", "/codec/eio", "/codec/quote"},
			[]string{gnet, "github.com/nats-io/nats-server/v2/server"}},
		{"/room/cluster/nats/embedded", nil, []string{gnet, module + "/server"}},
		{"/room/cluster/nats/natstest", []string{"/room/cluster/internal/brokertest", "/room/cluster", "/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/room/cluster/pysocketio", []string{"/room/cluster", "/room/cluster/internal/broker", "/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet, module + "/server"}},
		{"/room/cluster/emitter", []string{"/room/cluster", "/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/room/cluster/forward", append([]string{"/room/cluster", "/session", "/poller", "/poller/stream", "/codec/sio"}, session...), []string{module + "/server", "github.com/redis/rueidis"}},
		{"/room/cluster/redis/redistest", []string{"/room/cluster/internal/brokertest", "/room/cluster", "/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/server/parser", []string{"/codec/sio", "/codec/msgpack", "/codec/quote"}, []string{gnet}},
		{"/server/internal/packets", []string{"/server/parser", "/codec/sio", "/codec/msgpack", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/server/internal/host", append([]string{"/server/attach", "/server/internal/stack", "/session", "/session/mount", "/poller", "/poller/stream"}, session...), nil},
		{"/server/engineio", append([]string{"/server/attach", "/server/internal/host", "/server/internal/stack", "/server/logqueue", "/session", "/session/mount", "/poller", "/poller/stream"}, session...), nil},
		{"/server/internal/history", []string{"/room/cluster", "/codec/sio", "/codec/eio", "/codec/quote", "/poller/wheel"}, []string{gnet}},
		{"/server/internal/deadline", append([]string{"/session"}, session...), []string{gnet}},
		{"/server/internal/listeners", append([]string{"/session"}, session...), []string{gnet}},
		{"/server/internal/paging", nil, []string{gnet}},
		{"/server/internal/keyed", nil, []string{gnet}},
		{"/server/internal/edits", nil, []string{gnet}},
		{"/server/internal/shown", []string{"/server/internal/keyed", "/server/internal/packets", "/server/parser", "/codec/sio", "/codec/msgpack", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/server/internal/users", nil, []string{gnet}},
		{"/server/internal/partial", append([]string{"/server/internal/packets", "/server/parser", "/session", "/codec/sio", "/codec/msgpack"}, session...), []string{gnet}},
		{"/server/internal/walk", append([]string{"/server/attach", "/room", "/session", "/poller/stream"}, session...), []string{gnet}},
		{"/server/internal/early", append([]string{"/session"}, session...), []string{gnet}},
		{"/server/internal/clock", append([]string{"/server/attach", "/server/internal/host", "/server/internal/stack", "/session", "/session/mount", "/poller", "/poller/stream"}, session...), nil},
		{"/server/internal/collect", append([]string{"/server/attach", "/server/internal/clock", "/server/internal/host", "/server/internal/packets", "/server/internal/peers", "/server/internal/stack", "/server/parser",
			"/session", "/session/mount", "/room", "/room/cluster", "/poller", "/poller/stream", "/codec/sio", "/codec/msgpack"}, session...), []string{module + "/server"}},
		{"/server/internal/refusal", []string{"/server/internal/packets", "/server/parser", "/codec/sio", "/codec/msgpack", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/server/internal/tally", append([]string{"/server/internal/packets", "/server/parser", "/codec/sio", "/codec/msgpack", "/server/attach", "/server/internal/refusal", "/server/internal/host", "/server/internal/stack", "/session", "/session/mount", "/poller", "/poller/stream"}, session...), []string{prometheus}},
		{"/server/internal/consumer", []string{"/server/internal/packets", "/server/parser", "/codec/sio", "/codec/msgpack", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/server/internal/roster", nil, []string{gnet}},
		{"/server/internal/peers", []string{"/room/cluster", "/codec/sio", "/codec/eio", "/codec/quote"}, []string{gnet}},
		{"/server/internal/socketctx", append([]string{"/session"}, session...), []string{gnet}},
		{"/server/internal/stack", append([]string{"/session", "/poller", "/poller/stream"}, session...), nil},
		{"/server/logqueue", nil, []string{gnet}},
		{"/cmd/siren/manual", nil, []string{gnet}},
		// Programs without a broker are without its client.
		{"/server", server, []string{"github.com/redis/rueidis", prometheus}},
		{"/server/metrics", append([]string{"/server"}, server...), nil},
		{"/server/adminui", append([]string{"/server"}, server...), nil},
		{"/cmd/siren/node/pattern", nil, []string{gnet}},
		{"/cmd/siren/node/problem", nil, []string{gnet}},
		{"/cmd/siren/node/remote", nil, []string{gnet}},
		{"/cmd/siren/node/systemd", nil, []string{gnet}},
		{"/cmd/siren/node/handover", []string{"/poller/portshare"}, []string{gnet}},
		{"/cmd/siren/node/admin", []string{"/poller/portshare", "/cmd/siren/node/problem"}, []string{gnet}},
		{"/cmd/siren/asset", nil, []string{gnet, "/server"}},
		{"/cmd/siren/demo", []string{"/cmd/siren/asset"}, []string{gnet, "/server"}},
		{"/cmd/siren/node/dashboard", []string{"/cmd/siren/asset", "/poller/portshare", "/cmd/siren/node/admin", "/cmd/siren/node/problem"}, []string{gnet, "/server"}},
		{"/cmd/siren/node/token", []string{"/cmd/siren/node/pattern"}, []string{gnet}},
		{"/cmd/siren/node/webhook", []string{"/cmd/siren/node/pattern"}, []string{gnet}},
		{"/cmd/siren/node/broker", []string{"/room/cluster", "/room/cluster/internal/broker", "/room/cluster/internal/echo", "/room/cluster/nats", "/room/cluster/nats/embedded", "/room/cluster/redis", "/codec/sio", "/codec/eio", "/codec/msgpack", "/codec/quote"}, []string{gnet}},
		{"/cmd/siren/node/webhook/webhooktest", nil, []string{gnet}},
		{"/cmd/siren/node/value", append([]string{"/server"}, server...), nil},
		{"/cmd/siren/node/exposition", append([]string{"/server", "/server/metrics", "/room/cluster", "/cmd/siren/node/admin", "/cmd/siren/node/problem",
			"/cmd/siren/node/pattern", "/cmd/siren/node/token", "/cmd/siren/node/webhook", "/cmd/siren/node/value", "/cmd/siren/node/gate", "/room/cluster/forward"}, server...), nil},
		{"/cmd/siren/node/gate", append([]string{"/server", "/cmd/siren/node/pattern", "/cmd/siren/node/token", "/cmd/siren/node/webhook", "/cmd/siren/node/value"}, server...), nil},
		// Only tests import the test kit.
		{"/server/servertest", append([]string{"/server", "/poller/pollertest"}, server...), nil},
		{"/cmd/siren/node/config", append([]string{"/cmd/siren/node/pattern"}, append([]string{"/session"}, session...)...), []string{gnet}},
		{"/cmd/siren/node", append([]string{"/cmd/siren/node/pattern", "/cmd/siren/node/config", "/cmd/siren/node/problem", "/server/adminui",
			"/room/cluster/forward", "/cmd/siren/node/admin", "/cmd/siren/node/api", "/cmd/siren/node/broker", "/room/cluster/internal/broker", "/room/cluster/internal/echo", "/room/cluster/nats", "/room/cluster/nats/embedded", "/room/cluster/redis", "/cmd/siren/node/dashboard", "/cmd/siren/node/gate", "/cmd/siren/node/token",
			"/cmd/siren/node/value", "/cmd/siren/node/webhook", "/cmd/siren/node/systemd", "/cmd/siren/node/handover", "/cmd/siren/node/exposition", "/server/metrics", "/cmd/siren/asset", "/cmd/siren/demo", "/server"}, server...), nil},
		{"/bench/client", []string{"/codec/wsframe", "/codec/eio", "/codec/sio", "/codec/quote"}, []string{gnet, "/server"}},
		{"/bench/sequence", nil, []string{gnet}},
		{"/bench/profile", []string{"/bench", "/bench/client", "/bench/sequence", "/codec/wsframe", "/codec/eio", "/codec/sio", "/codec/quote", "/codec/httpwire"}, []string{gnet}},
		{"/bench", []string{"/bench/client", "/bench/sequence", "/codec/wsframe", "/codec/eio", "/codec/sio", "/codec/quote", "/codec/httpwire"}, []string{gnet}},
		// The simulation runs the server on fake loops; poller and gnet come in through server.
		{"/bench/sim", append([]string{"/bench", "/bench/client", "/bench/sequence", "/server", "/poller/pollertest"}, server...), nil},
		{"/bench/loadserver", append([]string{"/server"}, server...), nil},
		{"/bench/million", append([]string{"/bench", "/bench/client", "/bench/sequence", "/bench/loadserver", "/server"}, server...), nil},
		{"/bench/report", []string{"/bench", "/bench/client", "/bench/sequence", "/codec/wsframe", "/codec/eio", "/codec/sio", "/codec/quote", "/codec/httpwire"}, []string{gnet}},
	} {
		t.Run(strings.TrimPrefix(row.pkg, "/"), func(t *testing.T) {
			out, err := exec.Command("go", "list", "-deps", module+row.pkg).Output()
			if err != nil {
				t.Fatal(err)
			}
			allowed := map[string]bool{module + row.pkg: true}
			for _, p := range row.own {
				allowed[module+p] = true
			}
			if allowed[module+"/poller"] { // which brings it along
				allowed[module+"/poller/portshare"] = true
			}
			for _, dep := range strings.Fields(string(out)) {
				if strings.HasPrefix(dep, module) && !allowed[dep] {
					t.Errorf("%s depends on %s", row.pkg, dep)
				}
				for _, n := range row.never {
					if dep == n {
						t.Errorf("%s depends on %s", row.pkg, dep)
					}
				}
			}
		})
	}
}

// Deadlines are computed by wheel.Deadline: a plain sum wraps around when a time is the longest, which means "never".
func TestDeadlinesSaturate(t *testing.T) {
	sum := regexp.MustCompile(`(?i)(?:now|clock)(?:\(\))? ?\+ ?int64\(([^()]*)`)
	constants := regexp.MustCompile(`^(time\.\w+|warnEvery)$`)
	for _, dir := range []string{".", "internal/history", "internal/host", "../session", "../session/mount", "../poller", "../poller/stream", "../poller/pollertest"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, found := range sum.FindAllSubmatch(text, -1) {
				if !constants.Match(found[1]) {
					t.Errorf("%s: %s", name, found[0])
				}
			}
		}
	}
}

// The test kit, and package testing with it, is in no binary.
func TestBinariesAreWithoutTheKit(t *testing.T) {
	mains, err := exec.Command("go", "list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`, module+"/cmd/...").Output()
	if err != nil || len(strings.Fields(string(mains))) == 0 {
		t.Fatalf("no binaries: %v", err)
	}
	out, err := exec.Command("go", append([]string{"list", "-deps"}, strings.Fields(string(mains))...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if dep == "testing" || strings.HasSuffix(dep, "/servertest") || strings.HasSuffix(dep, "/sessiontest") ||
			strings.HasSuffix(dep, "/redistest") || strings.HasSuffix(dep, "/brokertest") || strings.HasSuffix(dep, "/logtest") {
			t.Errorf("a binary depends on %s", dep)
		}
	}
}
