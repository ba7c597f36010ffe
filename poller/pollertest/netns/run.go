package netns

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// insideEnv names, in the process inside of a namespace, the test that it runs.
	insideEnv = "SIREN_NETNS_TEST"
	// soakEnv is how often long tests repeat what they do.
	soakEnv = "SIREN_SOAK"
	// timeoutReserve is how much earlier than the test binary the process inside gives up, so that its report is seen.
	timeoutReserve = 5 * time.Second
)

// DefaultMTU is that of Ethernet.
const DefaultMTU = 1500

// Config describes a namespace. Immutable.
type Config struct {
	// MTU is that of the loopback interface, in bytes. Default: DefaultMTU.
	MTU int
	// Sysctls are settings of the namespace by name, such as "net.ipv4.tcp_wmem". The test is skipped when the kernel
	// does not have one, or does not let it be changed.
	Sysctls map[string]string
}

// Run runs body in a new network namespace whose only interface, loopback, is up. It must be all that the test does:
// outside, it starts the test binary again for this test, and takes over the result; inside, it calls body. It skips
// the test where no namespace can be made.
func Run(t *testing.T, cfg Config, body func(t *testing.T)) {
	t.Helper()
	switch os.Getenv(insideEnv) {
	case t.Name():
		if err := cfg.apply(); err != nil {
			t.Skip("netns: cannot set up the namespace: ", err)
		}
		body(t)
		return
	case "":
	default:
		t.Fatal("netns: Run inside of a namespace")
	}
	// The child ends with the thread that has started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0], arguments(t)...)
	cmd.Env = append(os.Environ(), insideEnv+"="+t.Name())
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := isolate(cmd); err != nil {
		t.Skip("netns: ", err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("netns: cannot make a network namespace: ", err)
	}
	report(t, cmd.Wait(), out.String())
}

// arguments are those of the test binary that run t alone.
func arguments(t *testing.T) []string {
	args := []string{"-test.run=" + pattern(t.Name(), flagValue("test.run")), "-test.v", "-test.count=1"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	if end, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+max(time.Until(end)-timeoutReserve, time.Second).String())
	}
	return args
}

// pattern selects the test of that name, and those of its subtests that the pattern of the outer process selects.
func pattern(name, outer string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	if all := strings.Split(outer, "/"); len(all) > len(parts) {
		parts = append(parts, all[len(parts):]...)
	}
	return strings.Join(parts, "/")
}

func flagValue(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

// report makes the result of the process inside that of the test.
func report(t *testing.T, err error, out string) {
	t.Helper()
	switch outcome(err, out, t.Name()) {
	case passed:
		t.Log("in the namespace:\n" + out)
	case skipped:
		t.Skip("in the namespace:\n" + out)
	default:
		t.Errorf("in the namespace: %v\n%s", err, out)
	}
}

// The outcomes of a test.
const (
	passed  = "passed"
	skipped = "skipped"
	failed  = "failed"
)

// outcome is what a test binary that was to run the test alone says of it. A test that did not run has failed.
func outcome(err error, out, name string) string {
	switch {
	case err != nil:
		return failed
	case strings.Contains(out, "--- SKIP: "+name+" "):
		return skipped
	case strings.Contains(out, "--- PASS: "+name+" "):
		return passed
	}
	return failed
}

// Soak is how often a long test should repeat what it does: the number in the environment variable SIREN_SOAK, else
// once.
func Soak() int {
	if n, err := strconv.Atoi(os.Getenv(soakEnv)); err == nil && n > 0 {
		return n
	}
	return 1
}

// Soaking reports whether the number is set: then tests may take their time, and hold times to a bound.
func Soaking() bool { return os.Getenv(soakEnv) != "" }
