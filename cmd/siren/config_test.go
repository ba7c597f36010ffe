package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What init writes passes check, and show tells that it holds.
func TestConfigInit(t *testing.T) {
	code, text, errs := command(t, "config", "init")
	if code != 0 || errs != "" {
		t.Fatalf("code %d, errors %q", code, errs)
	}
	file := filepath.Join(t.TempDir(), "siren.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := command(t, "config", "check", file); code != 0 || out != file+": ok\n" || errs != "" {
		t.Errorf("check: code %d, output %q, errors %q", code, out, errs)
	}
	t.Setenv("SIREN_NODE", "n1")
	t.Setenv("SIREN_PROT", "3000")
	code, out, errs := command(t, "config", "show", "--config", file, "--log-level", "debug")
	if code != 0 || !strings.Contains(errs, "siren: SIREN_PROT is not a key") {
		t.Errorf("show: code %d, errors %q", code, errs)
	}
	for _, want := range []string{"node: n1  # SIREN_NODE\n", "log.level: debug  # --log-level\n", "demo: true  # " + file + ":"} {
		if !strings.Contains(out, want) {
			t.Errorf("show has no %q:\n%s", want, out)
		}
	}
}

// Every error has a line, with file, line and key.
func TestConfigCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte("lisen: []\nlog:\n  level: loud\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "siren: " + file + ":1: lisen: unknown key; did you mean listen?\n" +
		"siren: " + file + ":3: log.level: must be one of debug, info, warn, error, not \"loud\"\n"
	for _, args := range [][]string{{"config", "check", file}, {"config", "show", "--config", file}} {
		if code, out, errs := command(t, args...); code != 1 || out != "" || errs != want {
			t.Errorf("%v: code %d, output %q, errors\n%s", args, code, out, errs)
		}
	}
	if code, _, errs := command(t, "config", "check", file+"x"); code != 1 || !strings.Contains(errs, "no such file") {
		t.Errorf("code %d, errors %q", code, errs)
	}
}

func TestConfigSchema(t *testing.T) {
	code, out, _ := command(t, "config", "schema")
	var schema map[string]any
	if err := json.Unmarshal([]byte(out), &schema); code != 0 || err != nil || schema["$schema"] == nil {
		t.Errorf("code %d, %v", code, err)
	}
}
