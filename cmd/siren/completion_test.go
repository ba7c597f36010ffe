package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// complete returns what a shell is told for a line whose last word is begun, and the directive: 4 no files, 8 files
// with these extensions, 0 any file.
func complete(t *testing.T, words ...string) (candidates []string, directive string) {
	t.Helper()
	code, out, errs := command(t, append([]string{"__complete"}, words...)...)
	if code != 0 {
		t.Fatalf("%v: code %d, %s", words, code, errs)
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if number, ok := strings.CutPrefix(line, ":"); ok {
			return candidates, number
		}
		word, _, _ := strings.Cut(line, "\t")
		candidates = append(candidates, word)
	}
	t.Fatalf("%v: no directive in %q", words, out)
	return nil, ""
}

func TestCompletion(t *testing.T) {
	for _, tc := range []struct {
		line, want, directive string
	}{
		{"ser", "serve", "4"},
		{"serve --log-f", "--log-format", "4"},
		{"serve --log-format ", "text json", "4"},
		{"config show --log-level ", "debug info warn error", "4"},
		{"serve --config ", "yaml yml", "8"},
		{"config check ", "yaml yml", "8"},
		{"serve --addr ", "", "4"},
		{"serve --max-conns ", "", "4"},
		{"serve ", "", "4"},
		{"bench fanout --transport ", "websocket polling upgrade", "4"},
		{"bench echo --transport ", "websocket polling", "4"},
		{"bench echo --json ", "", "0"},
		{"bench echo --rate ", "", "4"},
		{"bench compare ", "json", "8"},
		{"bench report --output x.html ", "json", "8"},
		{"bench report --output ", "html", "8"},
		{"emit --room ", "", "4"},
		{"ctl stats --config ", "yaml yml", "8"},
		{"bench chil", "", "4"},
		{"completion ", "bash fish powershell zsh", "4"},
	} {
		t.Run(tc.line, func(t *testing.T) {
			got, directive := complete(t, strings.Split(tc.line, " ")...)
			if strings.Join(got, " ") != tc.want || directive != tc.directive {
				t.Errorf("got %q with %s, want %q with %s", got, directive, tc.want, tc.directive)
			}
		})
	}
}

// The scripts are what their shells can read, where these are installed, and bash completes with its own.
func TestCompletionScripts(t *testing.T) {
	for shell, check := range map[string][]string{"bash": {"bash", "-n"}, "zsh": {"zsh", "-n"}, "fish": {"fish", "-n"}} {
		t.Run(shell, func(t *testing.T) {
			code, script, errs := command(t, "completion", shell)
			if code != 0 || errs != "" || !strings.Contains(script, "siren") {
				t.Fatalf("code %d, %s", code, errs)
			}
			if _, err := exec.LookPath(check[0]); err != nil {
				t.Skip(shell + " is not installed")
			}
			file := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(check[0], append(check[1:], file)...).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
			if shell == "bash" {
				bashCompletes(t, file)
			}
		})
	}
}

// bashCompletes presses the Tab key, as readline does it.
func bashCompletes(t *testing.T, script string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", `
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
compopt() { :; } # works during completion alone
siren() { "$SELF" "$@"; }
. "$1"
COMP_WORDS=(siren serve --log-format j); COMP_CWORD=3 COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE} COMP_TYPE=9
__start_siren
echo "${COMPREPLY[@]}"`, "bash", script)
	cmd.Env = append(os.Environ(), "SELF="+self, commandEnv+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "json" {
		t.Errorf("%v: %q", err, out)
	}
}
