package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const exampleBackend = "../../examples/backend"

func readExample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(exampleBackend, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startBackend runs an example until the test ends.
func startBackend(t *testing.T, program, file string, port int, api string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(program, filepath.Join(exampleBackend, file))
	cmd.Env = append(os.Environ(), fmt.Sprint("PORT=", port), "SIREN_API="+api, "PYTHONDONTWRITEBYTECODE=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "backend on ") {
		t.Fatalf("%q, %v, %s", line, err, errs.String())
	}
}

// The example backends, with the example's configuration: a client signs in, is greeted, says something and reads news.
func TestExampleBackends(t *testing.T) {
	for program, file := range map[string]string{"python3": "backend.py", "node": "backend.mjs"} {
		t.Run(file, func(t *testing.T) {
			port := freePort(t)
			url := fmt.Sprintf("http://127.0.0.1:%d", port)
			config := newConfigFile(t, strings.ReplaceAll(readExample(t, "siren.yaml"), "http://127.0.0.1:8000", url))
			n := startNode(t, "--config", string(config), "--admin-listen", "127.0.0.1:0")
			startBackend(t, program, file, port, n.operators(t)+"/api")

			tokenOf := func(user string) string {
				var answer struct{ Token string }
				if status, text := get(t, url+"/token?user="+user); status != 200 || json.Unmarshal([]byte(text), &answer) != nil {
					t.Fatal(status, text)
				}
				return answer.Token
			}
			connect := func(user string) (*client, string) {
				c, err := n.tryDial("")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.conn.Close() })
				c.next(t)
				c.send(t, `40{"token":"`+tokenOf(user)+`"}`)
				return c, c.next(t)
			}
			if _, got := connect("eve"); got != `44{"message":"not today","data":{"code":"not_allowed"}}` {
				t.Error(got)
			}
			c, got := connect("ann")
			if !strings.HasPrefix(got, "40") {
				t.Fatal(got)
			}
			if got := c.event(t); got != `["welcome","ann"]` {
				t.Error(got)
			}
			if got := c.ask(t, `["say","hello"]`); got != `["thanks"]` {
				t.Error(got)
			}
			if got := c.event(t); strings.ReplaceAll(got, " ", "") != `["said",{"from":"ann","text":"hello"}]` {
				t.Error(got)
			}
			answer, err := http.Post(url+"/news", "text/plain", strings.NewReader("it works"))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if got := c.event(t); answer.StatusCode != 200 || got != `["news","it works"]` {
				t.Error(answer.Status, got)
			}
			if status, _ := post(t, url+"/hooks", "", `{"type":"socket.connect","data":{"user":"ann"}}`); status != 401 {
				t.Errorf("a hook without a signature: %d", status)
			}
		})
	}
}

// The page about it shows the programs that the test runs.
func TestBackendPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/backend.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"siren.yaml", "backend.py", "index.html"} {
		if !strings.Contains(string(page), "\n"+readExample(t, name)+"```\n") {
			t.Errorf("docs/backend.md does not show %s as it is", name)
		}
	}
}
