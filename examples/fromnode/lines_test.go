// Package fromnode holds servers of the reference that were written again by docs/from-node.md.
package fromnode

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// Written by the table of docs/from-node.md, a server takes about as many lines as in Node: at most 1.15 times as many,
// without blank lines and comments.
func TestLines(t *testing.T) {
	for path, node := range map[string]int{
		"chat/main.go":          52,  // examples/chat/index.js of socket.io 4
		"clienttests/server.go": 126, // packages/socket.io-client/test/support/server.ts
	} {
		n := codeLines(t, path)
		if n == 0 || float64(n) > 1.15*float64(node) {
			t.Errorf("%s has %d lines, Node's %d", path, n, node)
		}
		t.Logf("%s: %d lines, %.2f of Node's %d", path, n, float64(n)/float64(node), node)
	}
}

// codeLines is the number of a file's lines that are neither blank nor comments.
func codeLines(t *testing.T, path string) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}
