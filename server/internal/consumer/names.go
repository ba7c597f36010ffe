package consumer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Names tells which event a method handles. Its fields are set before it is used.
type Names struct {
	// Rule makes the name of an event from the part of a method's name behind Event; nil is Snake.
	Rule func(method string) string
	// own has the events of methods that the rule does not apply to; used has those of these methods that exist.
	own  map[string]string
	used map[string]bool
}

// Name sets the event of one method, whatever the rule says. The method's name is given in full.
func (n *Names) Name(method, event string) {
	if n.own == nil {
		n.own, n.used = map[string]string{}, map[string]bool{}
	}
	n.own[method] = event
}

// Snake is a rule: ChatMessage is "chat_message".
func Snake(method string) string { return strings.Join(lowerWords(method), "_") }

// Kebab is a rule: ChatMessage is "chat-message".
func Kebab(method string) string { return strings.Join(lowerWords(method), "-") }

// Camel is a rule: ChatMessage is "chatMessage", and HTTPGet "httpGet".
func Camel(method string) string {
	words := lowerWords(method)
	for i, w := range words[1:] {
		r := []rune(w)
		r[0] = unicode.ToUpper(r[0])
		words[i+1] = string(r)
	}
	return strings.Join(words, "")
}

// lowerWords splits a name at its capitals: HTTPGetV2 has "http", "get" and "v2".
func lowerWords(name string) (words []string) {
	runes := []rune(name)
	begin := 0
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))) {
			words = append(words, strings.ToLower(string(runes[begin:i])))
			begin = i
		}
	}
	return append(words, strings.ToLower(string(runes[begin:])))
}

// event returns the event that a method handles. A method such as Eventual handles none.
func (n *Names) event(method string) (string, bool) {
	if event, ok := n.own[method]; ok {
		n.used[method] = true
		return event, true
	}
	rest, ok := strings.CutPrefix(method, "Event")
	if !ok || rest == "" || unicode.IsLower([]rune(rest)[0]) {
		return "", false
	}
	if n.Rule == nil {
		return Snake(rest), true
	}
	return n.Rule(rest), true
}

// unused returns an error if a method that was given a name does not exist.
func (n *Names) unused() error {
	for _, method := range slices.Sorted(maps.Keys(n.own)) {
		if !n.used[method] {
			return fmt.Errorf("EventName(%q, %q): there is no exported method of that name", method, n.own[method])
		}
	}
	return nil
}
