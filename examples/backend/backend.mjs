// A backend in Node's standard library: it signs tokens, publishes, and answers webhooks.

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const PORT = Number(process.env.PORT ?? 8000);
const API = process.env.SIREN_API ?? "http://127.0.0.1:3001/api";
const TOKEN_SECRET = "change-me-this-signs-the-tokens-of-users";
const HOOK_SECRET = "change-me-this-signs-the-webhooks";
const MAX_BODY = 2 << 20;

/** A JSON Web Token for a user, signed with HS256. */
function token(user, seconds = 3600) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub: user, iat: now, exp: now + seconds })}`;
  return `${text}.${createHmac("sha256", TOKEN_SECRET).update(text).digest("base64url")}`;
}

/** Sends an event to everybody, or to {rooms: [...]} or {users: [...]}. Returns the number of sockets. */
async function publish(event, args, selection = {}) {
  const answer = await fetch(`${API}/emit`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ event, args, ...selection }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()).count;
}

/** Whether a webhook is Siren's own (Standard Webhooks), and not an old one that somebody sends again. */
function verified(headers, body) {
  const at = headers["webhook-timestamp"] ?? "";
  if (!/^\d+$/.test(at) || Math.abs(Date.now() / 1000 - Number(at)) > 300) return false;
  const hmac = createHmac("sha256", HOOK_SECRET).update(`${headers["webhook-id"]}.${at}.`).update(body);
  const want = Buffer.from(`v1,${hmac.digest("base64")}`);
  const given = (headers["webhook-signature"] ?? "").split(" ").map((s) => Buffer.from(s));
  return given.some((s) => s.length === want.length && timingSafeEqual(s, want));
}

/** What a webhook is answered. */
function answer({ type, data }) {
  if (type === "socket.connect") {
    if (data.user === "eve") return { allow: false, message: "not today" };
    return { allow: true, rooms: ["news-all"], emit: [{ event: "welcome", args: [data.user] }] };
  }
  if (type === "socket.event" && data.event === "say") {
    const said = { from: data.user, text: data.args[0] };
    return { ack: ["thanks"], emit: [{ rooms: ["news-all"], event: "said", args: [said] }] };
  }
  return {};
}

async function bodyOf(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    if ((length += part.length) > MAX_BODY) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function handle(request) {
  const url = new URL(request.url, "http://localhost");
  switch (`${request.method} ${url.pathname}`) {
    case "GET /":
      return [200, await readFile(new URL("index.html", import.meta.url)), "text/html; charset=utf-8"];
    case "GET /token": // your own sign-in comes here
      return [200, { token: token(url.searchParams.get("user") ?? "guest") }];
  }
  const body = await bodyOf(request);
  if (body === null) return [413, {}];
  switch (`${request.method} ${url.pathname}`) {
    case "POST /hooks":
      return verified(request.headers, body) ? [200, answer(JSON.parse(body))] : [401, {}];
    case "POST /news":
      return [200, { count: await publish("news", [body.toString()], { rooms: ["news-all"] }) }];
  }
  return [404, {}];
}

const server = createServer(async (request, response) => {
  let result;
  try {
    result = await handle(request);
  } catch (err) {
    console.error(err);
    result = [500, {}];
  }
  const [status, content, kind = "application/json"] = result;
  response.writeHead(status, { "Content-Type": kind });
  response.end(Buffer.isBuffer(content) ? content : JSON.stringify(content));
});
server.listen(PORT, "127.0.0.1", () => console.log(`backend on http://localhost:${PORT}`));
