package memory

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// Limits are what bounds the memory of this process, in bytes; 0 stands for none, or unknown. A plain value.
type Limits struct {
	// Runtime is the soft limit of the Go runtime (GOMEMLIMIT).
	Runtime int64
	// Group is the least limit of the process's control groups and of those above them.
	Group int64
	// Machine is the memory of the machine.
	Machine int64
}

// ReadLimits asks the runtime and the system.
func ReadLimits() Limits {
	l := Limits{Group: groupLimit(os.DirFS("/")), Machine: machineMemory()}
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		l.Runtime = n
	}
	return l
}

// Least returns the smallest of the limits; 0 when there is none.
func (l Limits) Least() int64 { return least(l.Runtime, l.Group, l.Machine) }

// least returns the smallest of what is positive, else 0.
func least(limits ...int64) int64 {
	limits = slices.DeleteFunc(limits, func(n int64) bool { return n <= 0 })
	if len(limits) == 0 {
		return 0
	}
	return slices.Min(limits)
}

// groupMax is the least value that means no limit: version 1 of control groups says it with the largest number of
// pages.
const groupMax = 1 << 60

// group is a hierarchy of control groups that may limit memory.
type group struct {
	// mount is where the hierarchy is mounted, and root what part of it is there.
	mount, root string
	// file is the name of the file with the limit.
	file string
}

// groupLimit returns the least limit of the groups of this process, of both versions, and of those above them. root is
// the file system with /proc and /sys.
func groupLimit(root fs.FS) int64 {
	data, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	v1, v2 := groupMounts(root)
	limit := int64(0)
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) < 3 {
			continue
		}
		switch controllers := strings.Split(fields[1], ","); {
		case fields[0] == "0" && fields[1] == "":
			limit = least(limit, v2.limit(root, fields[2]))
		case slices.Contains(controllers, "memory"):
			limit = least(limit, v1.limit(root, fields[2]))
		}
	}
	return limit
}

// groupMounts finds where the hierarchies are mounted.
func groupMounts(root fs.FS) (v1, v2 group) {
	data, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return v1, v2
	}
	for line := range strings.Lines(string(data)) {
		// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(place) < 5 || len(kind) < 3 {
			continue
		}
		g := group{mount: unescape(place[4]), root: unescape(place[3])}
		switch {
		case kind[0] == "cgroup2" && v2.mount == "":
			g.file = "memory.max"
			v2 = g
		case kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), "memory") && v1.mount == "":
			g.file = "memory.limit_in_bytes"
			v1 = g
		}
	}
	return v1, v2
}

// unescape undoes what mountinfo does to spaces and the like in paths.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// limit returns the least limit from the group of that path upwards.
func (g group) limit(root fs.FS, name string) int64 {
	if g.mount == "" {
		return 0
	}
	// In a container only the part from the container's group down may be mounted, and the path may be seen from there.
	below, ok := strings.CutPrefix(path.Clean(name), strings.TrimSuffix(g.root, "/"))
	if !ok || strings.HasPrefix(name, "/..") {
		below = "/"
	}
	limit := int64(0)
	for dir := path.Clean("/" + below); ; dir = path.Dir(dir) {
		limit = least(limit, readLimit(root, strings.TrimPrefix(path.Join(g.mount, dir, g.file), "/")))
		if dir == "/" {
			return limit
		}
	}
}

// readLimit reads a file with one number, or "max".
func readLimit(root fs.FS, name string) int64 {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil || n >= groupMax {
		return 0
	}
	return n
}

// meminfoTotal reads the machine's memory from /proc/meminfo.
func meminfoTotal(root fs.FS) int64 {
	data, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
		}
	}
	return 0
}
