package bench

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childArgument makes the test binary a child of a run.
const childArgument = "bench-child"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		if err := Child(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if !supported {
		fmt.Println("skipped:", ErrSystem)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// childCommand starts this binary as a child.
func childCommand(t testing.TB) []string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{name, childArgument}
}
