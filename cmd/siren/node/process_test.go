package node

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/server"
)

// Too low a limit of open files is told with what the user of serve can do.
func TestServeTooFewFiles(t *testing.T) {
	for want, err := range map[string]error{
		"the limit of open files is 256, and at least 513 are needed; raise it (ulimit -n)":                        listenError(&server.FilesError{Limit: 256, Need: 513}),
		"--max-conns 1000 needs 1512 open files, and the limit is 256; raise it (ulimit -n), or lower --max-conns": enoughFiles(1000, 256),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, fits := range []error{enoughFiles(0, 256), enoughFiles(1000, 1512), enoughFiles(1000, 0)} {
		if fits != nil {
			t.Error(fits)
		}
	}
}

func TestDescriptorLimitIsTheHardOne(t *testing.T) {
	got, err := descriptorLimit()
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur != limit.Max || got != limit.Cur {
		t.Errorf("raised to %d, the limits are %d and %d", got, limit.Cur, limit.Max)
	}
}
