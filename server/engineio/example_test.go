package engineio_test

import (
	"sync"

	"github.com/seed58c87869/siren/server/engineio"
)

// A chat without Socket.IO: what one says, all hear.
func Example() {
	var mu sync.Mutex
	all := map[engineio.Socket]bool{}
	_, err := engineio.New(engineio.Config{Open: func(s engineio.Socket) engineio.Client {
		mu.Lock()
		defer mu.Unlock()
		all[s] = true
		return speaker{
			heard: func(text string) {
				mu.Lock()
				defer mu.Unlock()
				for other := range all {
					_ = other.SendText(text)
				}
			},
			gone: func() {
				mu.Lock()
				defer mu.Unlock()
				delete(all, s)
			},
		}
	}})
	if err != nil {
		panic(err)
	}
}

// speaker is one client of the example. Its methods run on the event loop and must not block for long.
type speaker struct {
	heard func(text string)
	gone  func()
}

func (s speaker) Message(data []byte, _ bool) { s.heard(string(data)) }
func (s speaker) Closed(engineio.Reason)      { s.gone() }
