package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// plainText is text that YAML takes as it is, for text and nothing else.
var plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// notText are words that some reader of YAML takes for something else.
var notText = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)

// quote writes text in YAML.
func quote(s string) string {
	if plainText.MatchString(s) && !notText.MatchString(s) {
		return s
	}
	return fmt.Sprintf("%q", s)
}

// format writes the value of the key in YAML, in one line. Secrets are masked if show is false.
func (k *Key) format(v any, show bool) string {
	switch v := v.(type) {
	case time.Duration:
		return formatDuration(v)
	case string:
		switch {
		case k.secret && !show && v != "":
			return mask
		case k.rule == "url" || k.rule == "secureurl" || k.rule == "broker":
			return quote(redacted(v))
		}
		return quote(v)
	case SecretFile:
		return quote(v.Path)
	case []string:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = quote(item)
			if k.secret && !show {
				items[i] = mask
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []Namespace:
		rules := make([]string, len(v))
		for i := range v {
			rules[i] = v[i].format()
		}
		return "[" + strings.Join(rules, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// mask stands for a secret.
const mask = `"***"`

// formatDuration leaves out the zeros that Go writes: 1m0s is 1m.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// format writes a rule in one line, without what it leaves out.
func (n *Namespace) format() string {
	var parts []string
	add := func(key, value string) { parts = append(parts, key+": "+value) }
	if n.Name != "" {
		add("name", quote(n.Name))
	}
	if n.Pattern != "" {
		add("pattern", quote(n.Pattern))
	}
	if n.Auth != "" {
		add("auth", n.Auth)
	}
	for _, t := range []struct {
		key string
		on  bool
	}{{"publish", n.Publish}, {"join", n.Join}, {"presence", n.Presence}} {
		if t.on {
			add(t.key, "true")
		}
	}
	list := &Key{kind: list}
	if len(n.Rooms) != 1 || n.Rooms[0] != "*" {
		add("rooms", list.format(n.Rooms, true))
	}
	if len(n.WebhookEvents) > 0 {
		add("webhook_events", list.format(n.WebhookEvents, true))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
