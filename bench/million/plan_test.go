package million

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// roomy returns a machine on which a million clients have room.
func roomy() Machine {
	return Machine{
		CPUs: 2, Files: 20_000, FilesFree: 2_400_000, Available: 20 << 30, PortsFrom: 32768, PortsTo: 60999, ListenQueue: 4096,
	}
}

// A plan holds all clients, whatever the limit of open files is, and no table or process needs more than that.
func TestPlanHoldsAllClients(t *testing.T) {
	for _, tc := range []struct {
		clients, files int
		private        bool
	}{
		{1_000_000, 20_000, true},
		{1_000_000, 65_536, true},
		{1_000_000, 1_000_000, true},
		{1_000_000, 1_048_576, false},
		{50_000, 20_000, true},
		{2, 20_000, false},
		{2_000, 4_096, false},
		{3_500, 4_096, true},
	} {
		m := roomy()
		m.Files = tc.files
		p, err := m.Plan(tc.clients)
		if err != nil {
			t.Errorf("%d clients, %d files: %v", tc.clients, tc.files, err)
			continue
		}
		if p.PrivateFiles != tc.private || p.Loops > 0 != tc.private {
			t.Errorf("%d clients, %d files: %+v", tc.clients, tc.files, p)
		}
		tables := max(1, p.Loops)
		// The fullest of the tables has about the mean and four deviations.
		mean := float64(tc.clients) / float64(tables)
		fullest := mean + 6*math.Sqrt(mean)
		if tables == 1 {
			fullest = mean
		}
		if room := float64(tc.files - 384 - 2*tables); fullest > room {
			t.Errorf("%d clients, %d files: a table with room for %.0f may get %.0f", tc.clients, tc.files, room, fullest)
		}
		if each := (tc.clients + p.Processes - 1) / p.Processes; each > tc.files-100 {
			t.Errorf("%d clients, %d files: %d in each of %d processes", tc.clients, tc.files, each, p.Processes)
		}
	}
}

// What a machine lacks is told at once, each with the command that changes it.
func TestPlanTellsAllThatIsMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Machine)
		want   []string
	}{
		"files of a process":  {func(m *Machine) { m.Files = 1024 }, []string{"256 tables; ulimit -n ", "a client process needs 4035; ulimit -n 4035"}},
		"files of the server": {func(m *Machine) { m.Files = 4_500 }, []string{"256 tables; ulimit -n 6068"}},
		"files of all":        {func(m *Machine) { m.FilesFree = 1_500_000 }, []string{"sysctl -w fs.file-max=4020000"}},
		"memory":              {func(m *Machine) { m.Available = 8 << 30 }, []string{"memory: 8.0 GiB are available, about 11."}},
		"ports":               {func(m *Machine) { m.PortsFrom = 60_000 }, []string{"net.ipv4.ip_local_port_range="}},
		"tracked":             {func(m *Machine) { m.Tracked = 65_536 }, []string{"nf_conntrack_max=2010000"}},
		"two":                 {func(m *Machine) { m.FilesFree, m.Available = 1, 1 }, []string{"fs.file-max=", "memory: "}},
	} {
		t.Run(name, func(t *testing.T) {
			m := roomy()
			tc.change(&m)
			_, err := m.Plan(1_000_000)
			if !errors.Is(err, ErrMachine) || strings.Count(err.Error(), "\n") != len(tc.want) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
	for _, clients := range []int{-1, 0, 1, clientsMax + 1} {
		if _, err := roomy().Plan(clients); err == nil || errors.Is(err, ErrMachine) {
			t.Errorf("%d clients: %v", clients, err)
		}
	}
	m := roomy()
	m.ListenQueue = 128
	if p, err := m.Plan(1000); err != nil || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "somaxconn") {
		t.Errorf("%+v, %v", p.Notes, err)
	}
}

func TestMachineRead(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write("sys/fs/file-nr", "1600\t100\t2466170\n")
	write("sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
	write("sys/net/core/somaxconn", "4096\n")
	write("meminfo", "MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   20000000 kB\n")
	want := Machine{FilesFree: 2466170 - 1500, PortsFrom: 32768, PortsTo: 60999, ListenQueue: 4096, Available: 20000000 << 10}
	for _, tracked := range []int64{0, 65536} {
		if tracked > 0 {
			write("sys/net/netfilter/nf_conntrack_count", "7\n")
			write("sys/net/netfilter/nf_conntrack_max", "65536\n")
		}
		want.Tracked = tracked
		var got Machine
		if err := got.read(root); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	for name, text := range map[string]string{
		"sys/fs/file-nr": "1 2\n", "sys/net/core/somaxconn": "many\n", "meminfo": "MemTotal: 1 kB\n", "sys/net/ipv4/ip_local_port_range": "",
	} {
		before, _ := os.ReadFile(filepath.Join(root, name))
		write(name, text)
		if err := new(Machine).read(root); err == nil {
			t.Errorf("%s with %q is no error", name, text)
		}
		write(name, string(before))
	}
}

// The server does not listen on a port that a client may get.
func TestFreePortIsBelowThoseOfClients(t *testing.T) {
	port, err := freePort(32768)
	if err != nil || port >= 32768 || port <= 1024 {
		t.Errorf("got %d, %v", port, err)
	}
	if _, err := freePort(1025); err == nil {
		t.Error("found one where there is none")
	}
}
