package config

import "testing"

// Nobody reads a password in what is shown of a URL.
func TestRedacted(t *testing.T) {
	for v, want := range map[string]string{
		"redis://user:word@h:6379/1":          "redis://user:xxxxx@h:6379/1",
		"nats://user:word@a:1, nats://b:2":    "nats://user:xxxxx@a:1,nats://b:2",
		"nats://token@a:1,tls://token@b:2":    "nats://xxxxx@a:1,tls://xxxxx@b:2",
		"redis://user@h:6379":                 "redis://user@h:6379",
		"embedded":                            "embedded",
		"nats://a%zz:word@h:1":                "***",
		"https://user:word@h/jwks.json?a=%20": "https://user:xxxxx@h/jwks.json?a=%20",
	} {
		if got := redacted(v); got != want {
			t.Errorf("%s: %s, want %s", v, got, want)
		}
	}
}
