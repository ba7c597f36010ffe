// The page of the chat. It shows input of others as text, never as markup.

import { Socket, State } from "/demo/socket.js";

const MESSAGES_MAX = 200; // on the page; older ones go
const TYPING_PAUSE = 2_000; // after so long without a key, somebody has stopped typing, in milliseconds
const TYPING_LOST = 6_000; // "stopped typing" may never come: it is sent volatile

const at = (id) => document.getElementById(id);
const socket = new Socket("/socket.io/", { namespace: "/chat" });
let name = "";
let room = roomOfAddress();

function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || "lobby";
  } catch {
    return "lobby"; // no valid escape
  }
}

// Signing in

async function signIn() {
  const response = await fetch("/sign-in", { method: "POST", body: JSON.stringify({ name }) });
  if (!response.ok) throw new Error(await response.text());
  socket.auth = await response.json();
  socket.open();
}

at("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  name = at("name").value.trim();
  at("sign-in-error").textContent = "";
  try {
    await signIn();
  } catch (error) {
    at("sign-in-error").textContent = error.message;
  }
});

// The server does not know the token, perhaps because it was restarted. Try once more with a new one.
let tries = 0;
socket.onrefused = async ({ message }) => {
  try {
    if (tries++ > 0) throw new Error(message);
    await signIn();
  } catch (error) {
    tries = 0;
    at("chat").hidden = true;
    at("sign-in").hidden = false;
    at("sign-in-error").textContent = error.message;
  }
};

const words = {
  [State.closed]: "Not signed in",
  [State.connecting]: "Connecting…",
  [State.connected]: "Connected",
  [State.waiting]: "Connection lost",
};

socket.onstate = (state) => {
  at("state").dataset.state = state;
  at("state").textContent = words[state];
  at("send").disabled = true;
  if (state !== State.connected) {
    others.clear();
    showTyping();
    return;
  }
  tries = 0;
  at("sign-in").hidden = true;
  at("chat").hidden = false;
  enter(room);
};

// Rooms

async function enter(wanted) {
  try {
    const answer = await socket.request("enter", wanted);
    if (answer.room !== room) at("log").replaceChildren();
    room = answer.room;
    location.hash = encodeURIComponent(room);
    showPeople(answer.people);
    at("error").textContent = "";
    at("send").disabled = false;
    at("text").focus();
  } catch (error) {
    at("error").textContent = error.message;
    at("send").disabled = socket.state !== State.connected;
  }
  at("room").value = room;
}

at("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  others.clear();
  showTyping();
  enter(at("room").value);
});

const showPeople = (n) => (at("people").textContent = n === 1 ? "only you" : `${n} people`);
socket.on("people", showPeople);

// Messages

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

socket.on("said", (message) => {
  const log = at("log");
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const node = element("article", message.from === socket.id ? "message mine" : "message", "");
  const time = new Date(message.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  node.append(element("p", "from", `${message.name} · ${time}`), element("p", "text", message.text));
  log.append(node);
  while (log.children.length > MESSAGES_MAX) log.firstChild.remove();
  if (follow) log.scrollTop = log.scrollHeight;
  seen(message.from);
});

at("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value.trim();
  if (!text) return;
  stopTyping();
  at("text").value = "";
  try {
    await socket.request("say", text);
    at("error").textContent = "";
  } catch (error) {
    at("error").textContent = `Not sent: ${error.message}`;
    at("text").value ||= text;
  }
});

// Who is typing

const others = new Map(); // id to { name, timer }
let typing = false;
let pause = 0;

at("text").addEventListener("input", () => {
  if (!typing) socket.emit("typing", true);
  typing = true;
  clearTimeout(pause);
  pause = setTimeout(stopTyping, TYPING_PAUSE);
});

function stopTyping() {
  clearTimeout(pause);
  if (typing) socket.emit("typing", false);
  typing = false;
}

function seen(id) {
  clearTimeout(others.get(id)?.timer);
  others.delete(id);
  showTyping();
}

socket.on("typing", ({ from, name, on }) => {
  seen(from);
  if (on) others.set(from, { name, timer: setTimeout(() => seen(from), TYPING_LOST) });
  showTyping();
});

function showTyping() {
  const names = [...others.values()].map((other) => other.name);
  at("typing").textContent = names.length === 0 ? "" : names.length === 1 ? `${names[0]} is typing…` : `${names.length} people are typing…`;
}
