package main

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/seed58c87869/siren/cmd/siren/demo"
)

//go:embed page
var files embed.FS

// securityPolicy allows only what the page uses.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages serves the page, the client's script and the sign-in.
func pages(t *tokens) http.Handler {
	mux := http.NewServeMux()
	page, _ := fs.Sub(files, "page") // it is embedded
	mux.Handle("GET /", http.FileServerFS(page))
	// A small client without dependencies; your own program would use socket.io-client.
	mux.Handle("GET /demo/socket.js", demo.New("/socket.io"))
	mux.HandleFunc("POST /sign-in", t.signIn)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", securityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	})
}

// signIn makes a token for the given name. A real program would ask for a password here.
func (t *tokens) signIn(w http.ResponseWriter, r *http.Request) {
	var in struct{ Name string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "a JSON object with a name, please", http.StatusBadRequest)
		return
	}
	name := strings.TrimSpace(in.Name)
	if name == "" || utf8.RuneCountInString(name) > nameMax {
		http.Error(w, "a name has 1 to 32 characters", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]string{"token": t.sign(name)})
}
