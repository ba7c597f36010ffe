package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/bench/sim"
)

func TestSimRefusesBadFlags(t *testing.T) {
	for want, args := range map[string]string{
		"--conns,":                "--conns 0",
		"greater than zero":       "--timeout 0s",
		"--gogc must":             "--gogc 0",
		"--gogc must be":          "--gogc many",
		"--memory-limit must be":  "--memory-limit 3GB",
		"--memory-limit must":     "--memory-limit 9000000TiB",
		"only with a memory":      "--gogc off",
		"fewer than loops":        "--conns 1 --loops 2",
		"conns must be from 1 to": "--conns 5000000",
		"unknown command":         "extra",
	} {
		code, out, errs := command(t, append([]string{"bench", "sim"}, strings.Fields(args)...)...)
		if code != 1 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d, output %q, errors %q", args, code, out, errs)
		}
	}
}

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "7B": 7, "2KiB": 2048, "800MiB": 800 << 20, "3GiB": 3 << 30, "1TiB": 1 << 40,
		"": 0, "0": 0, "-1": 0, "1.5GiB": 0, "GiB": 0, "1 GiB": 0,
	} {
		if got, err := parseMemory(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

// The file of a simulation is one that compare and report can read.
func TestSimCommand(t *testing.T) {
	dir := t.TempDir()
	file, page := filepath.Join(dir, "sim.json"), filepath.Join(dir, "sim.html")
	args := []string{"bench", "sim", "--conns=60", "--rooms=2", "--churn=1ms", "--gogc=off", "--memory-limit=1GiB"}
	code, out, errs := command(t, append(args, "--json", file, "--html", page)...)
	if code != 0 || !strings.Contains(out, "60 connections") || !strings.Contains(out, "GOGC=OFF LIMIT=1024MIB") {
		t.Fatalf("code %d, output %q, errors %q", code, out, errs)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "live heap per connection") {
		t.Errorf("page of %d bytes, %v", len(text), err)
	}
	code, out, errs = command(t, "bench", "compare", file, file)
	if code != 0 || !strings.Contains(out, string(sim.Kind)) || !strings.Contains(out, "broadcast to all: CPU per member") {
		t.Errorf("code %d, output %q, errors %q", code, out, errs)
	}
	if code, out, _ = command(t, append(args, "--timeout=1ns")...); code != 1 || !strings.Contains(out, "PARTIAL") {
		t.Errorf("code %d, output %q", code, out)
	}
}
