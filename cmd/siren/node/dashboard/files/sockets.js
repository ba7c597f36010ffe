// The list of a room's sockets, with a button to disconnect each.

import { call, explain } from "./api.js";
import { byId, make, onSubmit, tell } from "./dom.js";
import { clock, exact } from "./format.js";

const PAGE = 25;
const form = byId("sockets-form");
const list = byId("sockets");
const more = byId("sockets-more");
const result = byId("sockets-result");

/** What is listed: the selection, and the cursor of the next page. */
let listed = null;

/** Lists the sockets of a room; all of the namespace without one. */
export async function show(namespace, room) {
  form.elements.namespace.value = namespace;
  form.elements.room.value = room;
  listed = { whom: { namespace, ...(room ? { rooms: [room] } : {}) }, cursor: "" };
  list.replaceChildren();
  await page();
}

/** Fetches the next page. Answers for a list that was replaced meanwhile are ignored. */
async function page() {
  const mine = listed;
  more.hidden = true;
  try {
    const { sockets, cursor } = await call("sockets", { ...mine.whom, limit: PAGE, cursor: mine.cursor });
    if (mine !== listed) return;
    mine.cursor = cursor;
    list.append(...sockets.map((socket) => item(mine.whom.namespace, socket)));
    more.hidden = cursor === "";
    summarize();
  } catch (error) {
    if (mine === listed) tell(result, "bad", explain(error));
  }
}

function summarize() {
  const n = list.children.length;
  tell(result, "", n === 0 ? "There is no socket." : `${exact(n)} ${n === 1 ? "socket" : "sockets"}${listed.cursor ? ", and more" : ""}.`);
}

/** The entry of a socket. */
function item(namespace, socket) {
  const since = new Date(socket.connected_at);
  const today = since.toDateString() === new Date().toDateString();
  const about = [
    socket.user && `user ${socket.user}`, socket.transport, socket.address,
    `since ${today ? "" : `${since.toLocaleDateString("en-CA")} `}${clock(since)}`,
  ];
  const button = make("button", { type: "button", class: "danger", "aria-label": `Disconnect ${socket.id}` }, "Disconnect");
  const entry = make("li", {},
    make("div", { class: "who" }, make("p", { class: "id" }, socket.id), make("p", { class: "more" }, about.filter(Boolean).join(" · ")),
      ...(socket.rooms.length ? [make("p", { class: "more" }, `in ${socket.rooms.join(", ")}`)] : [])),
    button);
  button.addEventListener("click", () => ask(namespace, socket.id, entry));
  return entry;
}

/** Asks whether a socket is to be disconnected. */
function ask(namespace, id, entry) {
  const dialog = byId("cut-dialog");
  byId("cut-id").textContent = id;
  byId("cut-close").checked = false;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "cut") cut(namespace, id, entry, byId("cut-close").checked);
  }, { once: true });
  dialog.showModal();
}

async function cut(namespace, id, entry, close) {
  try {
    const { count } = await call("disconnect", { namespace, rooms: [id], close });
    const next = (entry.nextElementSibling ?? entry.previousElementSibling)?.querySelector("button");
    entry.remove();
    summarize();
    tell(result, "good", count > 0 ? `${id} is disconnected.` : `${id} had left already.`);
    (next ?? form.elements.room).focus();
  } catch (error) {
    tell(result, "bad", explain(error));
  }
}

export function setUp() {
  onSubmit(form, () => show(form.elements.namespace.value.trim() || "/", form.elements.room.value.trim()));
  more.addEventListener("click", page);
}
