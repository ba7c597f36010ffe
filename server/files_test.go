package server_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/server"
)

// limitFiles sets the process's limit of open files for the time of the test.
func limitFiles(t *testing.T, n uint64) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
}

// The log says at the start how many connections are possible, and warns when the limit of open files allows few.
func TestFewFilesAreLogged(t *testing.T) {
	for _, c := range []struct {
		files    uint64
		maxConns int
		warns    bool
	}{
		{1024, 0, true},
		{1024, 100, false}, // it is what was asked for
		{15_000, 0, false},
	} {
		log := &logBuffer{}
		limitFiles(t, c.files)
		logger := slog.New(slog.NewTextHandler(log, nil))
		srv, err := server.New(server.Config{Loops: 1, MaxConns: c.maxConns, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Listen("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		_ = srv.Close()
		text := log.String()
		if got := strings.Contains(text, "level=WARN"); got != c.warns || !strings.Contains(text, "node.maxConns=") {
			t.Errorf("%d files, MaxConns %d:\n%s", c.files, c.maxConns, text)
		}
		if c.warns && !strings.Contains(text, "node.openFiles=1024") {
			t.Errorf("the warning does not name the limit:\n%s", text)
		}
	}
}

// Too low a limit of open files is an error that says how many are needed.
func TestTooFewFiles(t *testing.T) {
	limitFiles(t, 400)
	for _, c := range []struct {
		maxConns int
		text     string
	}{
		{0, "server: the limit of open files (RLIMIT_NOFILE) is 400, and at least "},
		{1000, "server: Config.MaxConns = 1000 needs "},
	} {
		srv, err := server.New(server.Config{Loops: 1, MaxConns: c.maxConns})
		if err != nil {
			t.Fatal(err)
		}
		err = srv.Listen("127.0.0.1:0")
		var files *server.FilesError
		if !errors.As(err, &files) || files.Limit != 400 || files.Need <= 400 || !strings.HasPrefix(err.Error(), c.text) {
			t.Errorf("%v", err)
		}
		_ = srv.Close()
	}
}
