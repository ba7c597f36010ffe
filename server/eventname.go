package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// RegisterOption changes which events the methods of a consumer handle; see Register.
type RegisterOption func(n *eventNaming)

// EventNames has Register name events by the rule given, such as CamelCase. The rule gets the part of a method's name behind
// Event: "ChatMessage" for EventChatMessage. Default SnakeCase.
func EventNames(rule func(method string) string) RegisterOption {
	need(rule != nil, "EventNames")
	return func(n *eventNaming) { n.rule = rule }
}

// EventName has Register use a method for the event of that name, whatever the rule says. The method's name is given in full
// and need not begin with Event: EventName("Say", "chat message").
func EventName(method, event string) RegisterOption {
	return func(n *eventNaming) { n.own[method] = event }
}

// SnakeCase is a rule for EventNames: ChatMessage is "chat_message".
func SnakeCase(method string) string { return strings.Join(lowerWords(method), "_") }

// KebabCase is a rule for EventNames: ChatMessage is "chat-message".
func KebabCase(method string) string { return strings.Join(lowerWords(method), "-") }

// CamelCase is a rule for EventNames: ChatMessage is "chatMessage", and HTTPGet "httpGet".
func CamelCase(method string) string {
	words := lowerWords(method)
	for i, w := range words[1:] {
		r := []rune(w)
		r[0] = unicode.ToUpper(r[0])
		words[i+1] = string(r)
	}
	return strings.Join(words, "")
}

// lowerWords are the words of a name in capitals: HTTPGetV2 has "http", "get" and "v2".
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

// eventNaming tells which event a method handles.
type eventNaming struct {
	rule func(method string) string
	// own are the events of EventName by method, used those that a method was found for.
	own  map[string]string
	used map[string]bool
}

func newEventNaming(opts []RegisterOption) *eventNaming {
	n := &eventNaming{rule: SnakeCase, own: map[string]string{}, used: map[string]bool{}}
	for _, o := range opts {
		o(n)
	}
	return n
}

// event is the event that a method handles. A method such as Eventual handles none.
func (n *eventNaming) event(method string) (string, bool) {
	if event, ok := n.own[method]; ok {
		n.used[method] = true
		return event, true
	}
	rest, ok := strings.CutPrefix(method, "Event")
	if !ok || rest == "" || unicode.IsLower([]rune(rest)[0]) {
		return "", false
	}
	return n.rule(rest), true
}

// unused returns an error for a method of EventName that there is not.
func (n *eventNaming) unused() error {
	for _, method := range slices.Sorted(maps.Keys(n.own)) {
		if !n.used[method] {
			return fmt.Errorf("EventName(%q, %q): there is no exported method of that name", method, n.own[method])
		}
	}
	return nil
}
