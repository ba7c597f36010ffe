package node

import (
	"io"
	"net/http"
	"path"
	"strings"
)

// clientScriptHelp answers requests for the client's script, which the server of Node.js has under its path. The name of
// the file takes the place of {file}.
const clientScriptHelp = `Siren does not serve the client's script. Load it from the CDN of Socket.IO:

  https://cdn.socket.io/4.8.3/{file}

or serve it yourself: it is in the folder dist of the npm package socket.io-client.
`

// clientScript answers requests for the client's script below the path of Socket.IO with 404, and says where the script
// is. Other requests go to next.
func clientScript(socketPath string, next http.Handler) http.Handler {
	prefix := strings.TrimRight(socketPath, "/") + "/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, below := strings.CutPrefix(r.URL.Path, prefix)
		if matched, _ := path.Match("socket.io.*js", file); !below || !matched {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, strings.ReplaceAll(clientScriptHelp, "{file}", file))
	})
}
