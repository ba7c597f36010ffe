"""A backend in Python's standard library: it signs tokens, publishes, and answers webhooks."""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = int(os.environ.get("PORT", "8000"))
API = os.environ.get("SIREN_API", "http://127.0.0.1:3001/api")
TOKEN_SECRET = b"change-me-this-signs-the-tokens-of-users"
HOOK_SECRET = b"change-me-this-signs-the-webhooks"
MAX_BODY = 2 << 20


def token(user, seconds=3600):
    """A JSON Web Token for a user, signed with HS256."""

    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": user, "iat": int(time.time()), "exp": int(time.time()) + seconds}
    text = encode(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode(json.dumps(claims).encode())
    return (text + b"." + encode(hmac.digest(TOKEN_SECRET, text, hashlib.sha256))).decode()


def publish(event, *args, **selection):
    """Sends an event to everybody, or to rooms=[...] or users=[...]. Returns the number of sockets."""
    body = json.dumps({"event": event, "args": args, **selection}).encode()
    request = urllib.request.Request(API + "/emit", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["count"]


def verified(headers, body):
    """Whether a webhook is Siren's own (Standard Webhooks), and not an old one that somebody sends again."""
    sent, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isascii() or not at.isdigit() or abs(time.time() - int(at)) > 300:
        return False
    digest = hmac.digest(HOOK_SECRET, f"{sent}.{at}.".encode() + body, hashlib.sha256)
    want = b"v1," + base64.b64encode(digest)
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(want, s.encode()) for s in given)


def answer(hook):
    """What a webhook is answered."""
    data = hook["data"]
    if hook["type"] == "socket.connect":
        if data["user"] == "eve":
            return {"allow": False, "message": "not today"}
        return {"allow": True, "rooms": ["news-all"], "emit": [{"event": "welcome", "args": [data["user"]]}]}
    if hook["type"] == "socket.event" and data["event"] == "say":
        said = {"from": data["user"], "text": data["args"][0]}
        return {"ack": ["thanks"], "emit": [{"rooms": ["news-all"], "event": "said", "args": [said]}]}
    return {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/":
            self.send(200, Path(__file__).with_name("index.html").read_bytes(), "text/html; charset=utf-8")
        elif url.path == "/token":  # your own sign-in comes here
            user = urllib.parse.parse_qs(url.query).get("user", ["guest"])[0]
            self.send(200, {"token": token(user)})
        else:
            self.send(404, {})

    def do_POST(self):
        length = int(self.headers.get("Content-Length", "0"))
        if length > MAX_BODY:
            return self.send(413, {})
        body = self.rfile.read(length)
        if self.path == "/hooks":
            if not verified(self.headers, body):
                return self.send(401, {})
            return self.send(200, answer(json.loads(body)))
        if self.path == "/news":
            return self.send(200, {"count": publish("news", body.decode(), rooms=["news-all"])})
        return self.send(404, {})

    def send(self, status, content, kind="application/json"):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    print(f"backend on http://localhost:{PORT}", flush=True)
    server.serve_forever()
