package memory

import (
	"strings"
	"testing"
	"testing/fstest"
)

const (
	mountV1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n" +
		"36 31 0:33 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
	mountV2 = "41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
)

func TestGroupLimit(t *testing.T) {
	for _, c := range []struct {
		name, groups, mounts string
		files                map[string]string
		want                 int64
	}{
		{name: "no /proc"},
		{name: "version 1", groups: "4:memory:/a/b\n3:cpu:/other\n", mounts: mountV1,
			files: map[string]string{"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "268435456\n"}, want: 256 << 20},
		{name: "version 1 without a limit", groups: "4:memory:/a\n", mounts: mountV1,
			files: map[string]string{"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"}},
		{name: "with another controller", groups: "4:hugetlb,memory:/a\n", mounts: strings.Replace(mountV1, "rw,memory", "rw,hugetlb,memory", 1),
			files: map[string]string{"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "100"}, want: 100},
		{name: "version 1, the parent's is less", groups: "4:memory:/a/b\n", mounts: mountV1, files: map[string]string{
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "300", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "200",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"}, want: 200},
		{name: "version 2", groups: "0::/system.slice/siren.service\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/system.slice/siren.service/memory.max": "1073741824\n"}, want: 1 << 30},
		{name: "version 2 without a limit", groups: "0::/a\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/a/memory.max": "max\n"}},
		{name: "version 2, the parent's alone", groups: "0::/a/b\n", mounts: mountV2, files: map[string]string{
			"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "500\n"}, want: 500},
		{name: "version 2, the least of nested slices", groups: "0::/a.slice/b.slice/c.service\n", mounts: mountV2, files: map[string]string{
			"sys/fs/cgroup/a.slice/memory.max": "900\n", "sys/fs/cgroup/a.slice/b.slice/memory.max": "300\n",
			"sys/fs/cgroup/a.slice/b.slice/c.service/memory.max": "600\n"}, want: 300},
		{name: "version 2, a slice without the controller between", groups: "0::/a/b/c\n", mounts: mountV2, files: map[string]string{
			"sys/fs/cgroup/a/memory.max": "900\n", "sys/fs/cgroup/a/b/c/memory.max": "max\n"}, want: 900},
		{name: "version 2, slowed down above a bound", groups: "0::/a\n", mounts: mountV2, files: map[string]string{
			"sys/fs/cgroup/a/memory.max": "900\n", "sys/fs/cgroup/a/memory.high": "700\n"}, want: 700},
		{name: "version 2, the parent is slowed down", groups: "0::/a/b\n", mounts: mountV2, files: map[string]string{
			"sys/fs/cgroup/a/memory.high": "400\n", "sys/fs/cgroup/a/memory.max": "max\n",
			"sys/fs/cgroup/a/b/memory.high": "max\n", "sys/fs/cgroup/a/b/memory.max": "500\n"}, want: 400},
		{name: "version 2, not slowed down", groups: "0::/a\n", mounts: mountV2, files: map[string]string{
			"sys/fs/cgroup/a/memory.high": "max\n", "sys/fs/cgroup/a/memory.max": "max\n"}},
		{name: "version 1, a parent that does not limit its children", groups: "4:memory:/a/b\n", mounts: mountV1, files: map[string]string{
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "200", "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "300",
			"sys/fs/cgroup/memory/a/b/memory.stat": "cache 1\nhierarchical_memory_limit 300\ntotal_cache 1\n"}, want: 300},
		{name: "version 1, the limit is above what is mounted", groups: "4:memory:/pod/x\n",
			mounts: "35 31 0:32 /pod/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", files: map[string]string{
				"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
				"sys/fs/cgroup/memory/memory.stat":           "hierarchical_memory_limit 250\n"}, want: 250},
		{name: "version 1, no limit in the hierarchy", groups: "4:memory:/a\n", mounts: mountV1, files: map[string]string{
			"sys/fs/cgroup/memory/a/memory.stat": "hierarchical_memory_limit 9223372036854771712\n"}},
		{name: "in a container that sees its own group as the root", groups: "0::/\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "700\n"}, want: 700},
		{name: "in a container that has a part mounted", groups: "4:memory:/docker/abc/x\n",
			mounts: "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", files: map[string]string{
				"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "900", "sys/fs/cgroup/memory/memory.limit_in_bytes": "800"}, want: 800},
		{name: "in a container whose group is outside of what is mounted", groups: "0::/../../other\n", mounts: mountV2,
			files: map[string]string{"sys/fs/cgroup/memory.max": "600\n"}, want: 600},
		{name: "both versions", groups: "4:memory:/a\n0::/b\n", mounts: mountV1 + strings.Replace(mountV2, "/sys/fs/cgroup ", "/sys/fs/cgroup/unified ", 1),
			files: map[string]string{"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "50", "sys/fs/cgroup/unified/b/memory.max": "40"}, want: 40},
		{name: "a space in the path", groups: "0::/a\n", mounts: `41 31 0:38 / /my\040groups rw - cgroup2 cgroup2 rw` + "\n",
			files: map[string]string{"my groups/a/memory.max": "30"}, want: 30},
		{name: "nothing mounted", groups: "4:memory:/a\n0::/b\n"},
		{name: "garbage", groups: "4:memory\n\n0::/a\n", mounts: "- \n1 2 3\n" + mountV2,
			files: map[string]string{"sys/fs/cgroup/a/memory.max": "many\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			if c.groups != "" {
				root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte(c.groups)}
			}
			if c.mounts != "" {
				root["proc/self/mountinfo"] = &fstest.MapFile{Data: []byte(c.mounts)}
			}
			for name, text := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := groupLimit(root); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestLeastLimit(t *testing.T) {
	for _, c := range []struct {
		l    Limits
		want int64
	}{
		{Limits{}, 0}, {Limits{Machine: 5}, 5}, {Limits{Group: 3, Machine: 5}, 3}, {Limits{2, 3, 5}, 2}, {Limits{Runtime: 9, Machine: 5}, 5},
	} {
		if got := c.l.Least(); got != c.want {
			t.Errorf("%+v: %d, want %d", c.l, got, c.want)
		}
	}
	if l := ReadLimits(); l.Least() <= 0 || l.Machine <= 0 {
		t.Errorf("this machine has %+v", l)
	}
}

func TestMachineMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal:       24684084 kB\nMemFree: 1 kB\n": 24684084 << 10, "MemFree: 1 kB\n": 0, "MemTotal: x kB\n": 0,
	} {
		if got := meminfoTotal(fstest.MapFS{"proc/meminfo": {Data: []byte(text)}}); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := meminfoTotal(fstest.MapFS{}); got != 0 {
		t.Errorf("without a file: %d", got)
	}
}
