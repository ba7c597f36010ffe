// The page of the list: it shows the latest state, and asks the server for changes.

import { Socket, State } from "/demo/socket.js";

const at = (id) => document.getElementById(id);
const socket = new Socket("/socket.io/");

const words = {
  [State.closed]: "Closed",
  [State.connecting]: "Connecting…",
  [State.connected]: "Connected",
  [State.waiting]: "Connection lost: this is the list as it was",
};

socket.onstate = (state) => {
  at("state").textContent = words[state];
  for (const button of document.querySelectorAll("button")) button.disabled = state !== State.connected;
};

// The server sends the whole state each time, also after a reconnect, so there is nothing to merge.
socket.on("state", ({ items }) => {
  const list = at("items");
  const known = new Map([...list.children].map((node) => [Number(node.dataset.id), node]));
  list.replaceChildren(...items.map((item) => known.get(item.id) ?? line(item)));
  at("empty").hidden = items.length > 0;
});

function line({ id, title }) {
  const node = document.createElement("li");
  node.dataset.id = id;
  const text = document.createElement("span");
  text.textContent = title;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Delete";
  button.setAttribute("aria-label", `Delete ${title}`);
  button.addEventListener("click", async () => {
    // The button that had the focus is removed.
    if (await ask("delete", id)) at("items").focus();
  });
  node.append(text, button);
  return node;
}

// Sends a request to the server, and shows errors.
async function ask(event, arg) {
  try {
    await socket.request(event, arg);
    at("error").textContent = "";
    return true;
  } catch (error) {
    at("error").textContent = `Not done: ${error.message}`;
    return false;
  }
}

at("create").addEventListener("submit", async (event) => {
  event.preventDefault();
  const title = at("title").value;
  if (await ask("create", title)) at("title").value = "";
  at("title").focus();
});

socket.open();
