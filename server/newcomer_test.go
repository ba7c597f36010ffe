package server_test

import (
	"bufio"
	"context"
	"errors"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// newcomerEnv makes the test binary run newcomer instead of tests.
const newcomerEnv = "SIREN_TEST_NEWCOMER"

// newcomer is somebody's first program: nothing is configured, and its handlers fail.
func newcomer() {
	srv, err := server.New(server.Config{})
	if err != nil {
		log.Fatal(err)
	}
	server.On0(srv.Of("/"), "fail", func(context.Context, *server.Socket) error { return errors.New("no such table") })
	server.On0(srv.Of("/"), "refuse", func(context.Context, *server.Socket) error { return server.Refuse("not today", nil) })
	server.On0(srv.Of("/"), "boom", blowUp)
	log.Fatal(srv.ListenAndServe(context.Background(), "tcp://127.0.0.1:0"))
}

func blowUp(context.Context, *server.Socket) error { panic("oh no") }

// A program without any configuration prints what goes wrong in its handlers: errors with the event and the namespace,
// panics with their stack. An error that Refuse made is an answer to the client, and is not printed.
func TestNewcomerHearsFailures(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), newcomerEnv+"=1")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	var printed []string
	// await reads on to the line that the expression matches, and returns its last group.
	await := func(expression string) string {
		t.Helper()
		want := regexp.MustCompile(expression)
		for lines.Scan() {
			printed = append(printed, lines.Text())
			if m := want.FindStringSubmatch(lines.Text()); m != nil {
				return m[len(m)-1]
			}
		}
		t.Fatalf("it did not print %s, but:\n%s", expression, strings.Join(printed, "\n"))
		return ""
	}
	c := dialURL(t, "ws://"+await(`listening.* node\.addr=(127\.0\.0\.1:\d+)`)+"/socket.io/?EIO=4&transport=websocket", nil)
	c.send("0")
	c.connected("")
	c.send(`2["refuse"]`, `2["fail"]`, `2["boom"]`)
	await(`WARN handler failed sio\.ns=/ sio\.id=\S+ sio\.event=fail sio\.err="no such table"`)
	await(`ERROR handler panicked sio\.ns=/ sio\.id=\S+ sio\.event=boom sio\.panic="oh no" sio\.stack=.*server_test\.blowUp`)
	for _, line := range printed {
		if strings.Contains(line, "not today") {
			t.Error(line)
		}
	}
	c.close()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// A program that wants no log says so.
func TestDiscardedLog(t *testing.T) {
	var heard strings.Builder
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&heard, nil)))
	for _, logger := range []*slog.Logger{nil, slog.New(slog.DiscardHandler)} {
		heard.Reset()
		srv := start(t, server.Config{Logger: logger}, func(srv *server.Server) { server.On0(srv.Of("/"), "boom", blowUp); withSync(srv) })
		c, _ := joined(t, srv, "/")
		c.send(`2["boom"]`)
		c.sync()
		_ = srv.Close()
		if got := strings.Contains(heard.String(), "oh no"); got != (logger == nil) {
			t.Errorf("a logger of %v: it logged %q", logger, heard.String())
		}
	}
}
