// The official client in all its transport settings.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { Log, eventually, next, within } from './wait.mjs';

/** The transport settings every behaviour is tested with. `ends` is the transport a connection settles on. */
export const SETTINGS = [
  { name: 'polling', ends: 'polling', options: () => ({ transports: ['polling'] }) },
  { name: 'websocket', ends: 'websocket', options: () => ({ transports: ['websocket'] }) },
  { name: 'upgrade', ends: 'websocket', options: () => ({}) },
  { name: 'websocket first', ends: 'websocket', options: () => ({ transports: ['websocket', 'polling'] }) },
  { name: 'no upgrade', ends: 'polling', options: () => ({ upgrade: false }) },
  {
    name: 'kept-alive polling',
    ends: 'polling',
    options: (t) => {
      const agent = new http.Agent({ keepAlive: true });
      t.after(() => agent.destroy());
      return { transports: ['polling'], agent };
    },
  },
];

/** One test for each transport setting; fn gets a Bench to make clients with. */
export function matrix(title, fixture, fn, { only } = {}) {
  for (const setting of SETTINGS) {
    if (only && !only.includes(setting.name)) continue;
    test(`${title} [${setting.name}]`, (t) => fn(new Bench(t, fixture, setting), t));
  }
}

/** Makes clients for one test and closes them at its end. */
export class Bench {
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
      path: this.#fixture.path(profile),
      forceNew: true,
      reconnection: false,
      ...this.setting.options(this.#t),
      ...options,
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
    return connected(this.dial(options));
  }

  /** A connected socket on the transport that it will stay on. */
  async settle(options) {
    const socket = await this.connect(options);
    await settled(socket, this.setting);
    return socket;
  }
}

/** Waits for the socket's CONNECT; a CONNECT_ERROR fails. */
export async function connected(socket) {
  if (socket.connected) return socket;
  await within(
    new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    }),
    'connect',
  );
  return socket;
}

/** Waits for the socket's CONNECT_ERROR and returns its error. */
export async function refused(socket) {
  const error = await within(
    new Promise((resolve, reject) => {
      socket.once('connect_error', resolve);
      socket.once('connect', () => reject(new Error('connected')));
    }),
    'connect_error',
  );
  return error;
}

export const transportOf = (socket) => socket.io.engine.transport.name;

/** Waits until the connection is on the transport it settles on, as both ends see it. */
export async function settled(socket, setting) {
  await eventually(() => transportOf(socket) === setting.ends, `transport ${setting.ends}`);
  assert.equal((await call(socket, 'transport'))[0], setting.ends);
}

/** Emits with an acknowledgement and resolves with its arguments. */
export function call(socket, event, ...args) {
  return within(
    new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer))),
    `acknowledgement of "${event}"`,
  );
}

/** Records events as [name, ...args] in the order they come. */
export function record(socket, ...events) {
  const log = new Log();
  for (const event of events) socket.on(event, (...args) => log.push([event, ...args]));
  return log;
}

/** The reason with which the server's socket of that id ended, asked through another client. */
export function reasonOf(observer, id) {
  return eventually(async () => (await call(observer, 'reason', id))[0], `the end of ${id}`);
}

/** Resolves with [client-side reason] when the socket is disconnected. */
export const disconnection = (socket) => next(socket, 'disconnect');

/** A value with each binary leaf replaced by {$bin: hex}, whatever class holds it. */
export function shape(value) {
  if (value instanceof ArrayBuffer) return { $bin: Buffer.from(value).toString('hex') };
  if (ArrayBuffer.isView(value)) {
    return { $bin: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex') };
  }
  if (Array.isArray(value)) return value.map(shape);
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, shape(v)]));
  }
  return value;
}

let serial = 0;

/** A name that no other test uses. */
export const unique = (prefix) => `${prefix}-${process.pid}-${++serial}`;

/** [0, 1, … n-1] */
export const upTo = (n) => Array.from({ length: n }, (_, i) => i);
