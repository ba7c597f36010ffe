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

// Limits holds the bounds of this process's memory, in bytes; 0 means none or unknown. A plain value.
type Limits struct {
	// Runtime is the soft limit of the Go runtime (GOMEMLIMIT).
	Runtime int64
	// Group is the least limit of the process's control groups and of the groups above them. In version 2 the limit
	// above which the kernel slows the group down (memory.high) counts like the one that it never exceeds (memory.max).
	Group int64
	// Machine is the memory of the machine.
	Machine int64
}

// ReadLimits reads the limits from the runtime and the system.
func ReadLimits() Limits {
	l := Limits{Group: groupLimit(os.DirFS("/")), Machine: machineMemory()}
	if n := debug.SetMemoryLimit(-1); n < math.MaxInt64 {
		l.Runtime = n
	}
	return l
}

// Least returns the smallest of the limits; 0 when there is none.
func (l Limits) Least() int64 { return least(l.Runtime, l.Group, l.Machine) }

// least returns the smallest positive limit, or 0 if there is none.
func least(limits ...int64) int64 {
	limits = slices.DeleteFunc(limits, func(n int64) bool { return n <= 0 })
	if len(limits) == 0 {
		return 0
	}
	return slices.Min(limits)
}

// groupMax is the least value that means no limit: version 1 of control groups writes the largest number of pages.
const groupMax = 1 << 60

// group is a mounted hierarchy of control groups that may limit memory. The zero value has no limits.
type group struct {
	// mount is the directory where the hierarchy is mounted, root the group that is visible there.
	mount, root string
	// limit returns the limit of the group below mount with that path, and of the groups above it.
	limit func(files fs.FS, mount, below string) int64
}

// groupLimit returns the least limit of the groups of this process, of both versions, and of the groups above them.
// root is the file system with /proc and /sys.
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
			limit = least(limit, v2.of(root, fields[2]))
		case slices.Contains(controllers, "memory"):
			limit = least(limit, v1.of(root, fields[2]))
		}
	}
	return limit
}

// groupMounts finds the mounted hierarchies of both versions.
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
			g.limit = limitV2
			v2 = g
		case kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), "memory") && v1.mount == "":
			g.limit = limitV1
			v1 = g
		}
	}
	return v1, v2
}

// unescape decodes the octal escapes of white space and backslashes in the paths of mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// of returns the limit of the group with that path and of the groups above it, as far as they are visible.
func (g group) of(root fs.FS, name string) int64 {
	if g.mount == "" {
		return 0
	}
	// In a container the mount may show only the container's group and those below, and the path may be relative to it.
	below, ok := strings.CutPrefix(path.Clean(name), strings.TrimSuffix(g.root, "/"))
	if !ok || strings.HasPrefix(name, "/..") {
		below = "/"
	}
	return g.limit(root, g.mount, path.Clean("/"+below))
}

// limitV2 returns the least memory.max and memory.high from the group upwards.
func limitV2(files fs.FS, mount, below string) int64 {
	return least(upwards(files, mount, below, "memory.max"), upwards(files, mount, below, "memory.high"))
}

// limitV1 returns the limit of a group of version 1. The kernel tells the least one of the hierarchy, which includes
// groups above the mount and leaves out groups above that do not limit those below (memory.use_hierarchy). Without it,
// limitV1 returns the least limit from the group upwards.
func limitV1(files fs.FS, mount, below string) int64 {
	stat, _ := fs.ReadFile(files, groupFile(mount, below, "memory.stat"))
	for line := range strings.Lines(string(stat)) {
		if number, ok := strings.CutPrefix(line, "hierarchical_memory_limit "); ok {
			return parseLimit(number)
		}
	}
	return upwards(files, mount, below, "memory.limit_in_bytes")
}

// upwards returns the least limit in the files of that name, from the group up to the mount.
func upwards(files fs.FS, mount, below, name string) int64 {
	limit := int64(0)
	for dir := below; ; dir = path.Dir(dir) {
		text, _ := fs.ReadFile(files, groupFile(mount, dir, name)) // a group without the controller has no file
		limit = least(limit, parseLimit(string(text)))
		if dir == "/" {
			return limit
		}
	}
}

// groupFile returns the path of a group's file in a file system, which is without a leading slash.
func groupFile(mount, dir, name string) string {
	return strings.TrimPrefix(path.Join(mount, dir, name), "/")
}

// parseLimit parses a limit in bytes; "max", and anything else that is not a limit, is 0.
func parseLimit(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n >= groupMax {
		return 0
	}
	return n
}

// meminfoTotal returns the machine's memory in bytes as /proc/meminfo tells it, or 0.
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
