package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// sign is the value of webhook-signature (Standard Webhooks, "Signature scheme"): one signature for each key.
func sign(keys [][]byte, id string, at time.Time, body []byte) string {
	var all []string
	for _, k := range keys {
		h := hmac.New(sha256.New, k)
		h.Write([]byte(id + "." + stamp(at) + "."))
		h.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	return strings.Join(all, " ")
}

// stamp is the value of webhook-timestamp: seconds since 1970.
func stamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
