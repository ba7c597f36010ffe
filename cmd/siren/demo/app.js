// The demo page: one socket, one room at a time. It shows input of others as
// text, never as markup.

import { Socket, State } from "./socket.js";

const ROOM_DEFAULT = "lobby";
const NAME_MAX = 32;
const TEXT_MAX = 500;
const MESSAGES_MAX = 200; // on the page; older ones go
const HUES = 6;
const NAME_KEY = "siren-name";

const element = (id) => document.getElementById(id);
const view = {
  state: element("state"), stateText: element("state-text"),
  count: element("count"), countLabel: element("count-label"),
  roomForm: element("room-form"), room: element("room"), name: element("name"),
  log: element("log"), empty: element("empty"), emptyRoom: element("empty-room"), newer: element("newer"),
  composer: element("composer"), text: element("text"), send: element("send"), note: element("note"),
};

const socket = new Socket(document.querySelector('meta[name="socket-path"]').content);

let room = roomOfAddress();
let joined = ""; // the room whose messages the server sends; "" for none
let turn = 0; // counts the switches of rooms: a later one makes an earlier one void
let lastSender = ""; // id and name of the newest message

// Names

function storedName() {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return ""; // storage may be switched off
  }
}

function storeName(name) {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // The name is then lost with the page.
  }
}

function inventName() {
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  const manner = pick(["Quiet", "Brisk", "Mellow", "Bright", "Distant", "Salty", "Early", "Gentle"]);
  const being = pick(["Heron", "Otter", "Puffin", "Seal", "Tern", "Whale", "Gull", "Curlew"]);
  return `${manner} ${being}`;
}

function ownName() {
  return view.name.value.trim().slice(0, NAME_MAX) || view.name.placeholder;
}

// A sender has the same colour on every screen.
function hueOf(id) {
  let sum = 0;
  for (const c of id) sum = (sum * 31 + c.codePointAt(0)) % 9973;
  return sum % HUES;
}

// Rooms

function roomOfAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1)).trim().slice(0, NAME_MAX) || ROOM_DEFAULT;
  } catch {
    return ROOM_DEFAULT; // no valid escape
  }
}

function showRoom() {
  view.room.value = room;
  view.emptyRoom.textContent = room;
  for (const name of document.querySelectorAll("#lines .room-name")) name.textContent = JSON.stringify(room).slice(1, -1);
  document.title = `${room} · Siren`;
}

async function switchRoom(name) {
  room = name;
  showRoom();
  view.log.replaceChildren();
  view.empty.hidden = false;
  view.newer.hidden = true;
  lastSender = "";
  await enterRoom();
}

// Makes the server's room the same as the page's.
async function enterRoom() {
  const mine = ++turn;
  const wanted = room;
  showReady();
  if (socket.state !== State.connected) return;
  try {
    if (joined && joined !== wanted) {
      const old = joined;
      joined = "";
      await socket.request("leave", old);
    }
    if (mine !== turn) return;
    await socket.request("join", wanted);
    if (mine !== turn) {
      // Another switch has begun meanwhile, without knowing about this room.
      if (wanted !== room) await socket.request("leave", wanted);
      return;
    }
    joined = wanted;
    say("");
  } catch (error) {
    if (mine === turn && socket.state === State.connected) say(`Could not join: ${error.message}`, "error");
  }
  showReady();
}

// Messages

function timeElement(date) {
  const time = document.createElement("time");
  time.dateTime = date.toISOString();
  time.textContent = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return time;
}

function textElement(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function addMessage(message) {
  const mine = message.from === socket.id;
  const sender = `${message.from} ${message.name}`;
  const node = document.createElement("article");
  node.className = "message";
  if (mine) node.classList.add("mine");
  if (sender === lastSender) node.classList.add("same");
  lastSender = sender;
  const head = textElement("div", "head", "");
  head.append(textElement("span", `sender hue-${hueOf(message.from)}`, message.name), timeElement(new Date()));
  node.append(head, textElement("div", "body", message.text));
  append(node, mine);
}

function addEvent(text) {
  lastSender = "";
  append(textElement("p", "event", text), false);
}

function append(node, follow) {
  const log = view.log;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  view.empty.hidden = true;
  log.append(node);
  while (log.childElementCount > MESSAGES_MAX) log.firstElementChild.remove();
  if (atEnd || follow) scrollToEnd();
  else view.newer.hidden = false;
}

function scrollToEnd() {
  view.log.scrollTop = view.log.scrollHeight;
  view.newer.hidden = true;
}

// Anybody may publish anything, so skip everything that is not a message.
function isMessage(data) {
  return typeof data === "object" && data !== null && data.room === room &&
    ["from", "name", "text"].every((key) => typeof data[key] === "string") &&
    data.from.length <= 64 && data.name.length <= NAME_MAX && data.text.length <= TEXT_MAX;
}

// State

const stateTexts = {
  [State.connecting]: () => "Connecting…",
  [State.connected]: () => `Connected · ${socket.transport === "websocket" ? "WebSocket" : "long-polling"}`,
  [State.waiting]: (pause) => `Connection lost, trying again in ${Math.max(1, Math.round(pause / 1000))} s`,
  [State.closed]: () => "Not connected",
};

function showReady() {
  view.send.disabled = joined !== room || socket.state !== State.connected;
}

function showCount(n) {
  const known = Number.isSafeInteger(n);
  view.count.textContent = known ? n.toLocaleString() : "–";
  view.countLabel.textContent = n === 1 ? "connection" : "connections";
}

function say(text, kind = "") {
  view.note.textContent = text;
  view.note.dataset.kind = kind;
}

let hadConnection = false;

socket.onstate = (state, detail) => {
  view.state.dataset.state = state;
  view.state.dataset.transport = socket.transport;
  view.stateText.textContent = stateTexts[state](detail);
  if (state === State.connected) {
    if (hadConnection && view.log.childElementCount > 0) addEvent("Connected again. What was said meanwhile is not shown.");
    hadConnection = true;
    enterRoom();
    return;
  }
  joined = "";
  say("");
  showCount(undefined);
  showReady();
};

socket.on("count", showCount);
socket.on("chat", (data) => {
  if (isMessage(data)) addMessage(data);
});

view.roomForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = view.room.value.trim().slice(0, NAME_MAX);
  if (!name) return;
  view.text.focus();
  if (name !== room) location.hash = encodeURIComponent(name);
});

window.addEventListener("hashchange", () => {
  const name = roomOfAddress();
  if (name !== room) switchRoom(name);
});

view.name.addEventListener("change", () => storeName(view.name.value.trim()));
view.newer.addEventListener("click", () => {
  scrollToEnd();
  view.text.focus();
});
view.log.addEventListener("scroll", () => {
  if (view.log.scrollHeight - view.log.scrollTop - view.log.clientHeight < 60) view.newer.hidden = true;
});

view.composer.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = view.text.value.trim().slice(0, TEXT_MAX);
  if (!text || view.send.disabled) return;
  const data = { from: socket.id, name: ownName(), text, room };
  view.text.value = "";
  try {
    const { count } = await socket.request("publish", { room, event: "chat", data });
    say(`Sent to ${count.toLocaleString()} ${count === 1 ? "connection, yours" : "connections"}`);
  } catch (error) {
    // Keep the typed text.
    if (!view.text.value) view.text.value = text;
    say(`Not sent: ${error.message}`, "error");
  }
});

// A hidden page leaves, so that the number of people is right, and rejoins when it is shown again.
window.addEventListener("pagehide", () => socket.close());
window.addEventListener("pageshow", () => socket.open());
window.addEventListener("online", () => socket.open());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && socket.state === State.waiting) socket.open();
});

view.name.placeholder = inventName();
view.name.value = storedName().slice(0, NAME_MAX);
showRoom();
showCount(undefined);
showReady();
socket.open();
