package handover

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// Processes find each other by a name, which one of them has at a time.
func TestPeers(t *testing.T) {
	name := Own(fmt.Sprint("test-", t.Name()))
	if _, err := Dial(name); !None(err) {
		t.Fatal(err)
	}
	s, err := Listen(name, func(ctx *fasthttp.RequestCtx) {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
		_, _ = fmt.Fprintf(ctx, "%s %s", ctx.Path(), ctx.PostBody())
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(name, nil); !errors.Is(err, unix.EADDRINUSE) {
		t.Error(err)
	}
	p, err := Dial(name)
	if err != nil {
		t.Fatal(err)
	}
	var posting sync.WaitGroup
	long := strings.Repeat("x", 5<<20) // above fasthttp's default
	for range 8 {
		posting.Go(func() {
			if status, body, err := p.Post("/a/b", []byte(long)); err != nil || status != 202 || string(body) != "/a/b "+long {
				t.Errorf("%d, %d bytes, %v", status, len(body), err)
			}
		})
	}
	posting.Wait()
	p.Close()
	s.Close()
	if _, err := Dial(name); !None(err) {
		t.Error(err)
	}
	if _, _, err := p.Post("/", nil); err == nil {
		t.Error("a process that has ended answers")
	}
	again, err := Listen(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	(*Server)(nil).Close()
	(*Peer)(nil).Close()
	if Well("a") == Well("b") || !strings.Contains(Own("a"), fmt.Sprint(os.Getpid())) {
		t.Error("names")
	}
}
