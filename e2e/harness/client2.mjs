// The official client 2.x, which speaks Engine.IO 3.

import { createRequire } from 'node:module';
import { test } from 'node:test';
import io from 'socket.io-client-2';
import { installDocument } from './jsonp.mjs';
import { within } from './wait.mjs';

installDocument();

// The library below the client.
const inside = createRequire(createRequire(import.meta.url).resolve('socket.io-client-2'));
export const engine = inside('engine.io-client');
export const parser = inside('engine.io-parser');

/** The transport settings; `ends` is the transport a connection settles on. */
export const SETTINGS2 = [
  { name: 'polling', ends: 'polling', options: { transports: ['polling'] } },
  { name: 'websocket', ends: 'websocket', options: { transports: ['websocket'] } },
  { name: 'websocket, base64', ends: 'websocket', options: { transports: ['websocket'], forceBase64: true } },
  { name: 'upgrade', ends: 'websocket', options: {} },
  { name: 'jsonp', ends: 'polling', options: { transports: ['polling'], forceJSONP: true } },
  { name: 'jsonp, upgrade', ends: 'websocket', options: { forceJSONP: true } },
];

/** One test for each transport setting; fn gets a Bench2 to make clients with. */
export function matrix2(title, fixture, fn, { only } = {}) {
  for (const setting of SETTINGS2) {
    if (only && !only.includes(setting.name)) continue;
    test(`${title} [2.x, ${setting.name}]`, (t) => fn(new Bench2(t, fixture, setting), t));
  }
}

/** Makes clients for one test and closes them at its end. */
export class Bench2 {
  #t;
  #fixture;

  constructor(t, fixture, setting) {
    this.#t = t;
    this.#fixture = fixture;
    this.setting = setting;
  }

  /** A client's socket that is being connected. Reconnection is off unless asked for. */
  dial({ profile = 'main', ns = '/', url = this.#fixture.url(profile), ...options } = {}) {
    const socket = io(url + ns, {
      path: this.#fixture.path(profile), forceNew: true, reconnection: false, ...this.setting.options, ...options,
    });
    this.#t.after(() => {
      socket.io.reconnection(false);
      socket.disconnect();
      socket.io.engine?.close();
    });
    return socket;
  }

  /** A socket on the same connection as another one. */
  also(socket, ns, options) {
    const other = socket.io.socket(ns, options);
    this.#t.after(() => other.disconnect());
    return other;
  }

  /** A connected socket. */
  async connect(options) {
    return connected2(this.dial(options));
  }
}

/** Waits for the socket's CONNECT; a CONNECT_ERROR fails. */
export async function connected2(socket) {
  if (!socket.connected) {
    await within(
      new Promise((resolve, reject) => {
        socket.once('connect', resolve);
        for (const event of ['error', 'connect_error']) {
          socket.once(event, (err) => reject(err instanceof Error ? err : new Error(JSON.stringify(err))));
        }
      }),
      'connect',
    );
  }
  return socket;
}

/** Waits for the socket's CONNECT_ERROR and returns what it carries. */
export function refused2(socket) {
  return within(
    new Promise((resolve, reject) => {
      socket.once('error', resolve);
      socket.once('connect', () => reject(new Error('connected')));
    }),
    'error',
  );
}
