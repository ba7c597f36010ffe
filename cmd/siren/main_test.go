package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestMain makes the test binary the command itself when startProcess runs it.
func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command runs a command line.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"bench"}, {"bench", "fanout", "--help"}} {
		if code, out, _ := command(t, args...); code != 0 || !strings.Contains(out, "Usage:") {
			t.Errorf("%v: code %d, output %q", args, code, out)
		}
	}
}

func TestUnknownCommand(t *testing.T) {
	for _, args := range [][]string{{"sing"}, {"bench", "sing"}, {"version", "x"}, {"--sing"}} {
		if code, _, errs := command(t, args...); code != 1 || !strings.HasPrefix(errs, "siren: ") {
			t.Errorf("%v: code %d, errors %q", args, code, errs)
		}
	}
}
