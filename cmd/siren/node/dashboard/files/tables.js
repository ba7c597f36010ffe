// What a node is made of at the moment: rooms, namespaces, event loops, and what it has dropped.

import { byId, draw, make, setRows, setText } from "./dom.js";
import { exact, lag } from "./format.js";

/** Words for the reasons that are not clear by themselves. */
const REASONS = {
  queue_full: "queue of a client full", volatile: "volatile, client busy", memory: "memory budget", rooms_per_socket: "rooms of a socket",
  webhook_queue: "queue of webhooks full", admin_ui: "Admin UI behind", events_per_second: "events per second",
  bytes_per_second: "bytes per second", connections: "connections", connections_per_address: "connections of an address",
  accepts_per_second: "accepts per second", descriptors: "file descriptors", draining: "draining",
};

/** Shows the tables. `choose` is called with the namespace and the name of a room that somebody clicks. */
export class Tables {
  constructor(choose) {
    this.rooms = new Rooms(choose);
  }

  draw(stats) {
    this.rooms.draw(stats.top_rooms);
    const names = Object.keys(stats.sockets);
    setRows(byId("namespaces"), names.map((name) =>
      Object.assign([name === "dynamic" ? "made by clients" : name, exact(stats.sockets[name]), exact(stats.rooms[name] ?? 0)], { numbers: [1, 2] })));
    setRows(byId("loops"), stats.loops.map((l) =>
      Object.assign([`${l.loop}`, lag(l.lag_seconds), exact(l.mailbox), exact(l.connections)], { numbers: [1, 2, 3] })));
    const drops = [["dropped", stats.dropped], ["refused", stats.refused]].flatMap(([what, counts]) =>
      Object.entries(counts).map(([reason, n]) => ({ what, reason, n })));
    drops.sort((a, b) => b.n - a.n);
    setRows(byId("drops"), drops.map(({ what, reason, n }) =>
      Object.assign([REASONS[reason] ?? reason.replaceAll("_", " "), what, exact(n)], { numbers: [2], quietly: n === 0 })));
    this.suggest(byId("namespace-names"), names.filter((name) => name !== "dynamic"));
    this.suggest(byId("room-names"), [...new Set(stats.top_rooms.map((r) => r.name))]);
  }

  /** Makes the entries of a list of suggestions; it is left alone if they are the same, because it may be open. */
  suggest(list, values) {
    if ([...list.options].map((o) => o.value).join("\n") === values.join("\n")) return;
    list.replaceChildren(...values.map((value) => make("option", { value })));
  }
}

/** The largest rooms, as bars that can be clicked. */
class Rooms {
  constructor(choose) {
    this.choose = choose;
    this.list = byId("rooms");
  }

  draw(rooms) {
    byId("rooms-none").hidden = rooms.length > 0;
    while (this.list.children.length > rooms.length) this.list.lastChild.remove();
    rooms.forEach((room, i) => {
      const item = this.list.children[i] ?? this.list.appendChild(this.item());
      const [, name, where, number] = item.firstChild.children;
      item.room = room;
      setText(name, room.name);
      setText(where, room.namespace === "/" ? "" : room.namespace);
      setText(number, exact(room.sockets));
      item.firstChild.title = `${room.name} of ${room.namespace}: list its sockets`;
      item.querySelector("rect").setAttribute("width", `${(100 * room.sockets) / Math.max(1, rooms[0].sockets)}%`);
    });
  }

  item() {
    const bar = draw("svg", { "aria-hidden": "true" }, draw("rect", { height: "100%", rx: 4 }));
    const button = make("button", { type: "button" }, bar, make("span"), " ", make("span", { class: "where" }), " ", make("span", { class: "number" }));
    const item = make("li", {}, button);
    button.addEventListener("click", () => this.choose(item.room.namespace, item.room.name));
    return item;
  }
}
