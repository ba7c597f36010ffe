// The dashboard: asks the node for its numbers each second, and shows them.

import { Refused, call, key } from "./api.js";
import { byId, setText } from "./dom.js";
import { duration } from "./format.js";
import { History } from "./history.js";
import { Plots } from "./plots.js";
import { Tables } from "./tables.js";
import * as emit from "./emit.js";
import * as sockets from "./sockets.js";

/** How often the node is asked, and how long after a failure, in milliseconds. */
const EVERY = 1_000;
const AFTER_FAILURE = 2_000;

/** After a gap of so many milliseconds the node is asked for its history again. */
const GAP = 3_000;

const history = new History();
const plots = new Plots();
const tables = new Tables((namespace, room) => {
  byId("sockets-title").scrollIntoView({ block: "center" });
  sockets.show(namespace, room).then(() => byId("sockets-room").focus({ preventScroll: true }));
});

/** The answer before, and when it came. */
let before = null;

function state(name, text) {
  byId("state").dataset.state = name;
  setText(byId("state-text"), text);
}

/** Asks once, and shows the answer. Returns when to ask again, in milliseconds. */
async function ask() {
  const begun = performance.now();
  const whole = !history.last || !before || Date.now() - before.at > GAP;
  let stats;
  try {
    stats = await call("stats", whole ? { history: true } : {});
  } catch (error) {
    return failed(error);
  }
  show(stats);
  return Math.max(0, EVERY - (performance.now() - begun));
}

function show(stats) {
  const at = Date.now();
  if (stats.history) {
    // The rows have the times of the node's clock. The latest one is not older than a second or two.
    const skew = stats.history.length ? at - Date.parse(stats.history.at(-1).time) : 0;
    history.replace(stats.history, skew < 0 || skew > GAP ? skew : 0);
  }
  history.add(history.rowOf(stats, at, before));
  before = { at, stats };
  plots.draw(history);
  tables.draw(stats);
  setText(byId("node"), stats.node);
  setText(byId("about"), `Version ${stats.version}, ${stats.go}, up for ${duration(stats.uptime_seconds)}`);
  document.title = `${stats.node} · Siren dashboard`;
  byId("forget").hidden = !key.get();
  state(stats.draining ? "draining" : "live", stats.draining ? "Draining" : "Live");
}

/** Tells why there are no numbers. Returns when to ask again. */
async function failed(error) {
  if (error instanceof Refused && error.status === 401) {
    state("waiting", "Waiting for a key");
    await askForKey();
    return 0;
  }
  if (error instanceof Refused && error.status === 429) {
    state("waiting", "Slowed down by the node's limit of requests");
    return Math.max(AFTER_FAILURE, error.after);
  }
  state("lost", error instanceof Refused ? `The node says: ${error.message}` : "No answer. Trying again…");
  return AFTER_FAILURE;
}

/** Asks the person for a key. A key that was tried before is said to be wrong. */
async function askForKey() {
  const dialog = byId("key-dialog");
  const field = byId("key");
  byId("key-wrong").textContent = key.get() ? "The node does not know this key." : "";
  key.forget();
  byId("forget").hidden = true;
  field.value = "";
  if (!dialog.open) dialog.showModal();
  field.focus();
  for (let given = ""; !given; given = field.value.trim()) {
    if (!dialog.open) dialog.showModal(); // Escape does not help: there is nothing to see without a key
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  }
  key.set(field.value.trim());
  field.value = "";
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when somebody can see the page. */
function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true })).then(seen);
}

byId("forget").addEventListener("click", () => {
  key.forget();
  location.reload();
});
emit.setUp();
sockets.setUp();
for (;;) {
  await seen();
  await pause(await ask());
}
