// A small Socket.IO client: protocol 5 on Engine.IO 4, one namespace, JSON
// without binary attachments. It opens a WebSocket or, if that fails, polls. It
// answers the server's heartbeat, and disconnects when that stops. It reconnects,
// with increasing pauses, until it is closed.
//
//   const socket = new Socket("/socket.io/", { namespace: "/chat", auth: { token } });
//   socket.onstate = (state) => {};        // see State
//   socket.on("news", (data) => {});
//   socket.open();
//   const answer = await socket.request("join", "lobby");

// How long a transport may take to open, in milliseconds.
const OPEN_TIMEOUT = 5_000;
// How long an acknowledgement may take.
const ACK_TIMEOUT = 10_000;
// The pause before the first new attempt, and the longest one.
const RETRY_FIRST = 500;
const RETRY_LONGEST = 8_000;
// Separates the packets of a polling payload.
const SEPARATOR = "\x1e";

/** The states of a socket. */
export const State = Object.freeze({
  closed: "closed",
  connecting: "connecting",
  connected: "connected",
  waiting: "waiting", // until the next attempt
});

/** Engine.IO over a WebSocket: one packet is one message. */
class WebSocketTransport {
  name = "websocket";

  constructor(url, receive, gone) {
    this.ws = new WebSocket(url.replace(/^http/, "ws") + "&transport=websocket");
    this.ws.onmessage = (event) => {
      if (typeof event.data === "string") receive(event.data);
    };
    // An error is always followed by the close.
    this.ws.onclose = () => gone();
  }

  send(packet) {
    this.ws.send(packet);
  }

  close() {
    this.ws.onmessage = this.ws.onclose = null;
    this.ws.close();
  }
}

/** Engine.IO over requests: one is always waiting for packets, one at a time sends some. */
class PollingTransport {
  name = "polling";

  constructor(url, receive, gone) {
    this.url = url + "&transport=polling";
    this.receive = receive;
    this.gone = gone;
    this.abort = new AbortController();
    this.outgoing = [];
    this.posting = false;
    this.poll();
  }

  async fetch(options) {
    // The number prevents caching.
    const response = await fetch(`${this.url}&t=${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`, {
      ...options,
      cache: "no-store",
      signal: this.abort.signal,
    });
    if (!response.ok) throw new Error(`polling: ${response.status}`);
    return response.text();
  }

  async poll() {
    try {
      while (!this.abort.signal.aborted) {
        const payload = await this.fetch({ method: "GET" });
        for (const packet of payload.split(SEPARATOR)) {
          if (this.abort.signal.aborted) return;
          if (packet.startsWith("0") && !this.sid) this.identify(packet);
          this.receive(packet);
        }
      }
    } catch {
      this.lost();
    }
  }

  identify(packet) {
    this.sid = JSON.parse(packet.slice(1)).sid;
    this.url += `&sid=${encodeURIComponent(this.sid)}`;
  }

  send(packet) {
    this.outgoing.push(packet);
    if (!this.posting) this.post();
  }

  async post() {
    this.posting = true;
    try {
      while (this.outgoing.length > 0) {
        const body = this.outgoing.splice(0).join(SEPARATOR);
        await this.fetch({ method: "POST", body, headers: { "Content-Type": "text/plain;charset=UTF-8" } });
      }
      this.posting = false;
    } catch {
      this.lost();
    }
  }

  lost() {
    if (this.abort.signal.aborted) return;
    this.abort.abort();
    this.gone();
  }

  close() {
    if (this.abort.signal.aborted) return;
    this.abort.abort();
    // Without this packet the server would wait for the heartbeat. A beacon is sent even when the page closes.
    if (this.sid) navigator.sendBeacon(this.url, "1");
  }
}

/** One connection to one namespace, for as long as it is wanted. */
export class Socket {
  /** Called with the new state and, in State.waiting, the milliseconds until the next attempt. */
  onstate = () => {};
  /**
   * When set, called with { message, data } when the server does not let the socket in, which then is closed until it
   * is opened again. Otherwise it tries again by itself.
   */
  onrefused = null;

  /** What is sent with each attempt to join the namespace, for the server to know who is there. */
  auth;

  #path;
  #prefix; // of packets: nothing for "/"
  #state = State.closed;
  #id = "";
  #listeners = new Map();
  #transport = null;
  #attempts = 0; // since the last time it was connected
  #retryTimer = 0;
  #openTimer = 0;
  #heartbeatTimer = 0;
  #patience = OPEN_TIMEOUT; // between two heartbeats
  #acks = new Map();
  #ackNumber = 0;

  constructor(path, { namespace = "/", auth } = {}) {
    this.#path = path;
    this.#prefix = namespace === "/" ? "" : `${namespace},`;
    this.auth = auth;
  }

  get state() {
    return this.#state;
  }

  /** The socket's id while it is connected. */
  get id() {
    return this.#id;
  }

  /** "websocket", "polling", or "" without a connection. */
  get transport() {
    return this.#transport?.name ?? "";
  }

  /** Sets the function that gets an event's arguments. */
  on(event, listener) {
    this.#listeners.set(event, listener);
  }

  /** Connects, now and whenever the connection is lost. While it waits for the next attempt, makes that at once. */
  open() {
    if (this.#state !== State.closed && this.#state !== State.waiting) return;
    clearTimeout(this.#retryTimer);
    this.#connect(typeof WebSocket === "function" ? WebSocketTransport : PollingTransport);
  }

  /** Leaves, until open is called. */
  close() {
    if (this.#state === State.closed) return;
    this.#drop(new Error("closed"));
    this.#change(State.closed);
  }

  /** Sends an event and resolves with the first argument of its acknowledgement. An {error} in it rejects. */
  request(event, ...args) {
    return new Promise((resolve, reject) => {
      if (this.#state !== State.connected) {
        reject(new Error("not connected"));
        return;
      }
      const number = this.#ackNumber++;
      const timer = setTimeout(() => this.#settle(number, new Error("no answer")), ACK_TIMEOUT);
      this.#acks.set(number, { resolve, reject, timer });
      this.#send(`42${this.#prefix}${number}${JSON.stringify([event, ...args])}`);
    });
  }

  /** Sends an event if the socket is connected, and forgets about it. */
  emit(event, ...args) {
    if (this.#state === State.connected) this.#send(`42${this.#prefix}${JSON.stringify([event, ...args])}`);
  }

  #change(state, detail) {
    this.#state = state;
    this.onstate(state, detail);
  }

  #connect(Transport) {
    this.#change(State.connecting);
    const url = `${new URL(this.#path, location.href)}?EIO=4`;
    let said = false; // the transport works: something has come through
    const gone = () => {
      if (transport && transport !== this.#transport) return;
      if (!said && Transport === WebSocketTransport) {
        // A device on the way to the server may block WebSockets.
        this.#drop(new Error("no WebSocket"));
        this.#connect(PollingTransport);
        return;
      }
      this.#lose();
    };
    const receive = (packet) => {
      if (transport !== this.#transport) return;
      said = true;
      this.#packet(packet);
    };
    let transport = null;
    try {
      transport = new Transport(url, receive, gone);
    } catch {
      gone();
      return;
    }
    this.#transport = transport;
    this.#openTimer = setTimeout(() => {
      transport.close();
      gone();
    }, OPEN_TIMEOUT);
  }

  // Handles one Engine.IO packet.
  #packet(packet) {
    switch (packet[0]) {
      case "0": {
        const { pingInterval, pingTimeout } = JSON.parse(packet.slice(1));
        this.#patience = pingInterval + pingTimeout;
        this.#alive();
        this.#send(`40${this.#prefix}${this.auth ? JSON.stringify(this.auth) : ""}`);
        break;
      }
      case "1":
        this.#lose();
        break;
      case "2":
        this.#alive();
        this.#send("3" + packet.slice(1));
        break;
      case "4":
        this.#message(packet.slice(1));
        break;
    }
  }

  // Handles one Socket.IO packet: type, optional namespace, optional number of an acknowledgement, JSON.
  #message(message) {
    const [, type, number, json] = /^(\d)(?:\/[^,]*,?)?(\d*)(.*)$/s.exec(message) ?? [];
    switch (type) {
      case "0":
        clearTimeout(this.#openTimer);
        this.#attempts = 0;
        this.#id = JSON.parse(json).sid;
        this.#change(State.connected);
        break;
      case "1": // put out by the server
        this.#lose();
        break;
      case "4": // not let in
        if (this.onrefused) {
          this.#drop(new Error("refused"));
          this.#change(State.closed);
          this.onrefused(JSON.parse(json));
        } else {
          this.#lose();
        }
        break;
      case "2": {
        const [event, ...args] = JSON.parse(json);
        this.#listeners.get(event)?.(...args);
        break;
      }
      case "3": {
        const [answer] = JSON.parse(json);
        this.#settle(Number(number), answer?.error === undefined ? null : new Error(String(answer.error)), answer);
        break;
      }
    }
  }

  #send(packet) {
    this.#transport?.send(packet);
  }

  #settle(number, error, answer) {
    const ack = this.#acks.get(number);
    if (!ack) return;
    this.#acks.delete(number);
    clearTimeout(ack.timer);
    if (error) ack.reject(error);
    else ack.resolve(answer);
  }

  // The server is alive. If it does not ping again in time, it is gone.
  #alive() {
    clearTimeout(this.#heartbeatTimer);
    this.#heartbeatTimer = setTimeout(() => this.#lose(), this.#patience);
  }

  // Drops the transport and everything that depends on it.
  #drop(error) {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#openTimer);
    clearTimeout(this.#heartbeatTimer);
    const transport = this.#transport;
    this.#transport = null;
    this.#id = "";
    transport?.close();
    for (const number of [...this.#acks.keys()]) this.#settle(number, error);
  }

  #lose() {
    this.#drop(new Error("connection lost"));
    // Half of the pause is random, so that the clients of a restarted server do not reconnect all at once.
    const longest = Math.min(RETRY_LONGEST, RETRY_FIRST * 2 ** this.#attempts++);
    const pause = longest * (0.5 + Math.random() / 2);
    this.#retryTimer = setTimeout(() => this.open(), pause);
    this.#change(State.waiting, pause);
  }
}
