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

// A command line that is not understood names the command whose help says what is, on one line of plain words.
func TestCommandLineErrors(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"srve", `siren: unknown command "srve" for "siren"; did you mean serve?; see siren --help`},
		{"sing", `siren: unknown command "sing" for "siren"; see siren --help`},
		{"--sing", `siren: unknown flag: --sing; see siren --help`},
		{"config chek", `siren: unknown command "chek" for "siren config"; did you mean check?; see siren config --help`},
		{"ctl sing", `siren: unknown command "sing" for "siren ctl"; see siren ctl --help`},
		{"bench sing", `siren: unknown command "sing" for "siren bench"; see siren bench --help`},
		{"serve --sing", `siren: unknown flag: --sing; see siren serve --help`},
		{"serve sing", `siren: unknown command "sing" for "siren serve"; see siren serve --help`},
		{"config check", `siren: accepts 1 arg(s), received 0; see siren config check --help`},
		{"serve --loops", `siren: flag needs an argument: --loops; see siren serve --help`},
		{"serve --loops many", `siren: --loops: must be a whole number between 0 and 256, not "many"`},
		{"version --json=2", `siren: invalid argument "2" for "--json" flag`},
	} {
		code, out, errs := command(t, strings.Fields(tc.line)...)
		if code != 1 || out != "" || !strings.HasPrefix(errs, tc.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: code %d, output %q, errors %q", tc.line, code, out, errs)
		}
	}
}
