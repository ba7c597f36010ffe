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
	// insideEnv is set in the process inside of a namespace, to the name of the test that it runs.
	insideEnv = "SIREN_NETNS_TEST"
	// soakEnv is the number of repetitions of long tests.
	soakEnv = "SIREN_SOAK"
	// timeoutReserve is how much earlier than the test binary the process inside times out, so that its report is seen.
	timeoutReserve = 5 * time.Second
)

// DefaultMTU is the MTU of Ethernet.
const DefaultMTU = 1500

// Config describes a namespace. Immutable.
type Config struct {
	// MTU is the MTU of the loopback interface, in bytes. Default: DefaultMTU.
	MTU int
	// Sysctls are settings of the namespace by name, such as "net.ipv4.tcp_wmem". The test is skipped if the kernel
	// does not have one, or refuses to change it.
	Sysctls map[string]string
}

// Run runs body in a new network namespace whose only interface, loopback, is up. The test must do nothing else.
// Outside of the namespace, Run starts the test binary again for this test and reports its result; inside, it calls
// body. It skips the test if no namespace can be made.
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

// arguments returns the test binary's arguments that run only t.
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

// pattern returns a pattern for the test of that name and the subtests that the outer process's pattern selects.
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

// report reports the result of the process inside as the test's.
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

// outcome returns the result of the test in the output of a test binary. A test that did not run has failed.
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

// Soak returns the number of repetitions for a long test: the number in the environment variable SIREN_SOAK, or one.
func Soak() int {
	if n, err := strconv.Atoi(os.Getenv(soakEnv)); err == nil && n > 0 {
		return n
	}
	return 1
}

// Soaking reports whether SIREN_SOAK is set. Tests may then take long, and check times.
func Soaking() bool { return os.Getenv(soakEnv) != "" }
