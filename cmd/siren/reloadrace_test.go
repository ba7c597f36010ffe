package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"
)

// visit connects, asks for namespaces and leaves, in the middle of something or after the answers.
func (n *testNode) visit(i int) error {
	c, err := n.tryDial("")
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }()
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	for _, name := range []string{"/room-1", "/room-2", "/chat"} {
		if err := wsutil.WriteClientText(c.conn, []byte("40"+name+",")); err != nil {
			return err
		}
	}
	for answers := 0; answers < i%4; { // 3 is all
		data, _, err := wsutil.ReadServerData(c.conn)
		if err != nil {
			return err
		}
		if text := string(data); strings.HasPrefix(text, "40") || strings.HasPrefix(text, "44") {
			answers++
		}
	}
	return nil
}

// Clients that come and go while rules change are let in or refused, and counted in and out: in the end nobody is left.
func TestReloadWhileClientsComeAndGo(t *testing.T) {
	rules := []string{
		both + "  - {name: /chat, presence: true}\n",
		both,
		"namespaces: [{name: /}, {name: /room-1, presence: true}]\n",
		"namespaces: [{name: /}]\n",
	}
	file := newConfigFile(t, rules[0])
	n := startNode(t, "--admin-listen", "127.0.0.1:0", "--config", string(file))
	url := n.operators(t) + "/api/reload"
	stop, errs := make(chan struct{}), make(chan error, 100)
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := n.visit(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for i := range 60 {
		file.write(t, rules[(i+1)%len(rules)])
		if status, body := post(t, url, "", "{}"); status != 200 {
			t.Errorf("reload: %d %s", status, body)
		}
	}
	close(stop)
	clients.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	file.write(t, rules[0])
	if status, body := post(t, url, "", "{}"); status != 200 {
		t.Errorf("reload: %d %s", status, body)
	}
	c := n.dial(t)
	for _, name := range []string{"/room-1", "/room-2", "/chat"} {
		if got := c.join(t, name); !strings.HasPrefix(got, "40"+name+",") {
			t.Fatalf("%s: %s", name, got)
		}
		c.expectPacket(t, fmt.Sprintf(`42%s,["count",1]`, name))
	}
}
