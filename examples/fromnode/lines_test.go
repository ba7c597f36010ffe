// Package fromnode holds servers of the reference that were written again by docs/from-node.md.
package fromnode

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// TestLines shows that a server that is written by the table of docs/from-node.md takes about as many lines as in Node,
// without blank lines and comments: all together at most 1.15 times as many. The smallest one takes more, because twelve
// of its lines are the frame of every Go program: imports, main and the error of New.
func TestLines(t *testing.T) {
	ours, nodes := 0, 0
	for path, test := range map[string]struct {
		node int
		most float64
	}{
		"chat/main.go":          {52, 1.15},  // examples/chat/index.js of socket.io 4
		"whiteboard/main.go":    {11, 1.75},  // examples/whiteboard/index.js
		"clienttests/server.go": {126, 1.15}, // packages/socket.io-client/test/support/server.ts
	} {
		n := codeLines(t, path)
		if n == 0 || float64(n) > test.most*float64(test.node) {
			t.Errorf("%s has %d lines, Node's %d", path, n, test.node)
		}
		t.Logf("%s: %d lines, %.2f of Node's %d", path, n, float64(n)/float64(test.node), test.node)
		ours, nodes = ours+n, nodes+test.node
	}
	if float64(ours) > 1.15*float64(nodes) {
		t.Errorf("the servers have %d lines, Node's %d", ours, nodes)
	}
	t.Logf("together: %d lines, %.2f of Node's %d", ours, float64(ours)/float64(nodes), nodes)
}

// codeLines returns the number of a file's lines that are neither blank nor comments.
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
