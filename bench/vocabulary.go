package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/seed58c87869/siren/bench/client"
)

// Vocabulary names the events that a server has for load.
type Vocabulary string

// The vocabularies that Run tells apart by itself.
const (
	// VocabularyLoad is the load profile: join, echo, publish and others, as cmd/fixture has them with -load.
	VocabularyLoad Vocabulary = "load"
	// VocabularyNode is that of siren serve: join, leave and publish. The client publishes each message itself.
	VocabularyNode Vocabulary = "node"
)

// Packets of a node's vocabulary.
const (
	packetNodeJoin   = `420["join","all"]`
	packetNodeJoined = `30[{"status":"ok"}]`
	nodePublished    = `[{"status":"ok"` // the beginning of an acknowledgement, behind 3 and the id
	nodeCount        = `2["count",`      // of clients, which a node tells by itself
	nodeBusy         = `[{"error":"the server is busy"}]`
)

// join returns the packet that joins the room, and its acknowledgement.
func (v Vocabulary) join() (packet, joined string) {
	if v == VocabularyNode {
		return packetNodeJoin, packetNodeJoined
	}
	return packetJoin, packetJoined
}

// echo returns an echo with that text, and its acknowledgement, both behind the id. A node has no echo, so there it is
// a publication to nobody.
func (v Vocabulary) echo(text string) (body, answer string) {
	if v == VocabularyNode {
		return `["publish",{"event":"echo","rooms":[],"data":"` + text + `"}]`, `[{"status":"ok","count":0}]`
	}
	return echoRequestBody + text + echoEnd, echoAnswerBody + text + echoEnd
}

// usesEvents reports whether a scenario needs events of the server.
func (k Kind) usesEvents() bool { return k != KindConnect && k != KindIdle }

// vocabularyTimeout is how long a server may take to acknowledge the event join.
const vocabularyTimeout = 5 * time.Second

// learn finds out which vocabulary the server has, unless the configuration says so or the scenario sends no events. A
// server with neither, and one that is not there, is an error that says what to do.
func (r *run) learn(ctx context.Context) error {
	if r.cfg.Vocabulary == "" && r.cfg.Kind != KindFloor && r.cfg.Kind.usesEvents() {
		v, err := askVocabulary(ctx, r.cfg)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrConnect, err)
		}
		r.cfg.Vocabulary = v
	}
	if r.cfg.Vocabulary != VocabularyNode {
		return nil
	}
	if r.cfg.Kind == KindGame {
		return fmt.Errorf("%w: %w", ErrConfig, &client.Fault{
			Expected: "a server with the events of the scenario game", Got: "siren serve, which sends a message to its sender too",
			Next: "use cmd/fixture -load, or write a profile: siren bench init",
		})
	}
	r.result.note("siren serve: this client publishes every message itself, and an echo is a publication to nobody; " +
		"the figures include the cost of these events, the floor does not")
	return nil
}

// askVocabulary asks the server.
func askVocabulary(ctx context.Context, cfg Config) (Vocabulary, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return "", err
	}
	o := &client.Options{URL: u, Timeout: handshakeTimeout}
	if cfg.Transport == TransportPolling {
		o.Transport, o.HTTP = client.Polling, client.NewHTTP(nil)
		defer o.HTTP.CloseIdleConnections()
	}
	c, err := client.Dial(ctx, o, nil)
	if err != nil {
		return "", err
	}
	defer c.Close()
	answer, err := ask(ctx, c, "")
	if err != nil {
		return "", err
	}
	if answer == "" {
		return VocabularyLoad, nil
	}
	var refusal struct{ Error string }
	if json.Unmarshal([]byte(answer), &refusal) == nil && refusal.Error != "" { // a node wants the room
		if answer, err = ask(ctx, c, `"all"`); err != nil {
			return "", err
		}
		if strings.HasPrefix("["+answer, nodePublished) {
			return VocabularyNode, nil
		}
	}
	return "", &client.Fault{
		Expected: `the acknowledgement of "join" by the load profile or by siren serve`, Got: answer,
		Next: "allow join and publish in the namespace /; for other servers write a profile: siren bench init",
	}
}

// ask sends join with arguments and returns those of the acknowledgement.
func ask(ctx context.Context, c *client.Client, args string) (string, error) {
	answered := make(chan string, 1)
	if err := c.Emit("join", []byte(args), func(args []byte, _ time.Time) { answered <- string(args) }); err != nil {
		return "", err
	}
	timer := time.NewTimer(vocabularyTimeout)
	defer timer.Stop()
	select {
	case answer := <-answered:
		return answer, nil
	case <-c.Done():
		return "", c.Err()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-timer.C:
		return "", &client.Fault{
			Expected: `an acknowledgement of "join"`, Got: fmt.Sprintf("nothing within %v", vocabularyTimeout),
			Next: "the scenarios are for siren serve and servers with the load profile; for this one write a profile: siren bench init",
		}
	}
}
