// The form that sends an event.

import { call, explain } from "./api.js";
import { byId, onSubmit, tell } from "./dom.js";
import { exact } from "./format.js";

const form = byId("emit");

/** Shows what is wrong with a field, or "" for nothing. Returns whether it is right. */
function judge(name, wrong) {
  const field = byId(`emit-${name}`);
  byId(`emit-${name}-wrong`).textContent = wrong;
  if (wrong) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
  return !wrong;
}

/** Why a text is no list of JSON values; "" when it is one. */
function wrongArguments(text) {
  try {
    JSON.parse(`[${text}]`);
    return "";
  } catch {
    return 'This is not JSON. Texts need quotes: "Hello", {"a": 1}, 42.';
  }
}

export function setUp() {
  const all = () => form.elements.to.value === "all";
  form.addEventListener("change", () => (byId("emit-room-field").hidden = all()));
  onSubmit(form, async () => {
    const value = (name) => form.elements[name].value.trim();
    const result = byId("emit-result");
    tell(result, "", "");
    const right = [
      judge("event", value("event") ? "" : "Name the event."),
      judge("room", all() || value("room") ? "" : "Name a room, or choose everybody."),
      judge("args", wrongArguments(value("args"))),
    ];
    if (right.includes(false)) {
      form.querySelector("[aria-invalid=true]").focus();
      return;
    }
    const head = { namespace: value("namespace") || "/", event: value("event"), ...(all() ? {} : { rooms: [value("room")] }) };
    try {
      // The arguments go as they were written: parsed and written again, large numbers would lose digits.
      const { count, exact: known } = await call("emit", `${JSON.stringify(head).slice(0, -1)},"args":[${value("args")}]}`);
      tell(result, "good", `Sent to ${known ? "" : "at most "}${exact(count)} ${count === 1 ? "socket" : "sockets"}.`);
    } catch (error) {
      tell(result, "bad", explain(error));
    }
  });
}
