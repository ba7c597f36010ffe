package node

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/server"
)

// Too low a limit of open files is told with what the user of serve can do.
func TestServeTooFewFiles(t *testing.T) {
	for _, c := range []struct {
		err  server.FilesError
		want string
	}{
		{server.FilesError{Limit: 256, Need: 513}, "the limit of open files is 256, and at least 513 are needed; raise it (ulimit -n)"},
		{server.FilesError{Limit: 256, Need: 1512, MaxConns: 1000},
			"--max-conns 1000 needs 1512 open files, and the limit is 256; raise it (ulimit -n), or lower --max-conns"},
	} {
		if got := listenError(&c.err).Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
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
