// Clients without a library, which control every byte: HTTP requests, Engine.IO sessions and TCP connections.

import http from 'node:http';
import net from 'node:net';
import { WebSocket } from 'ws';
import { Log, next, within } from './wait.mjs';

const SEPARATOR = '\x1e';

/** One HTTP request on a connection of its own. Resolves with {status, headers, text, json}. */
export function request(url, { method = 'GET', headers = {}, body, signal } = {}) {
  const answer = new Promise((resolve, reject) => {
    const req = http.request(url, { method, headers, agent: false, signal }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.once('error', reject);
      res.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: res.statusCode, headers: res.headers, text, json: () => JSON.parse(text) });
      });
    });
    req.once('error', reject);
    req.end(body);
  });
  return within(answer, `${method} ${url}`);
}

/** The address of an Engine.IO endpoint. */
export function endpoint(fixture, profile, query, { path = fixture.path(profile), scheme = 'http' } = {}) {
  const q = new URLSearchParams({ EIO: '4', ...query });
  return `${scheme}://127.0.0.1:${fixture.port(profile)}${path}?${q}`;
}

/** A polling session, one request at a time and only when told. */
export class PollingSession {
  constructor(fixture, profile, open) {
    this.fixture = fixture;
    this.profile = profile;
    this.open = open;
    this.sid = open.sid;
    // A server that ends waits some seconds for clients to fetch their packets; this client will not.
    fixture.beforeStop(() => this.post('1'));
  }

  static async start(fixture, profile = 'main', headers = {}) {
    const answer = await request(endpoint(fixture, profile, { transport: 'polling' }), { headers });
    if (answer.status !== 200 || answer.text[0] !== '0') throw new Error(`${answer.status} ${answer.text}`);
    return new PollingSession(fixture, profile, JSON.parse(answer.text.slice(1)));
  }

  url(query = {}) {
    return endpoint(this.fixture, this.profile, { transport: 'polling', sid: this.sid, ...query });
  }

  get(options) {
    return request(this.url(), options);
  }

  /** The packets of the next GET. */
  async poll() {
    const answer = await this.get();
    if (answer.status !== 200) throw new Error(`GET: ${answer.status} ${answer.text}`);
    return answer.text.split(SEPARATOR);
  }

  post(...packets) {
    return request(this.url(), {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain;charset=UTF-8' },
      body: packets.join(SEPARATOR),
    });
  }

  /** Joins a namespace and returns the socket's id. */
  async connect(ns = '/') {
    const prefix = ns === '/' ? '' : `${ns},`;
    await this.post(`40${prefix}`);
    const [answer] = await this.until((p) => p.startsWith(`40${prefix}{`));
    return JSON.parse(answer.slice(2 + prefix.length)).sid;
  }

  /** Polls, answering pings, until a packet fits; returns it and all that came before. */
  async until(fits) {
    const seen = [];
    for (;;) {
      for (const packet of await this.poll()) {
        if (packet === '2') await this.post('3');
        seen.push(packet);
      }
      const found = seen.find(fits);
      if (found !== undefined) return [found, seen];
    }
  }

  /** A WebSocket for this session, as an upgrade opens it. */
  websocket(options) {
    return RawWebSocket.open(this.fixture, this.profile, { sid: this.sid, ...options });
  }
}

/** A WebSocket that records what comes: text as strings, binary as Buffers. It answers nothing by itself. */
export class RawWebSocket {
  messages = new Log();
  isClosed = false;

  constructor(socket) {
    this.socket = socket;
    socket.on('message', (data, binary) => this.messages.push(binary ? data : data.toString('utf8')));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve(code)));
    this.closed.then(() => {
      this.isClosed = true;
    });
  }

  static async open(fixture, profile = 'main', { sid, headers, query = {} } = {}) {
    const url = endpoint(fixture, profile, { transport: 'websocket', ...(sid && { sid }), ...query }, { scheme: 'ws' });
    const socket = new WebSocket(url, { headers, agent: false });
    const raw = new RawWebSocket(socket);
    await within(
      new Promise((resolve, reject) => {
        socket.once('open', resolve);
        socket.once('error', reject);
        socket.once('unexpected-response', (_, res) => reject(new Error(`status ${res.statusCode}`)));
        socket.once('upgrade', (res) => {
          raw.headers = res.headers;
        });
      }),
      `WebSocket to ${profile}`,
    );
    return raw;
  }

  /** Answers each ping, for sessions that must live on a fast heartbeat. */
  beat() {
    this.socket.on('message', (data, binary) => !binary && data.toString() === '2' && this.send('3'));
    return this;
  }

  send(data) {
    this.socket.send(data);
  }

  /** The first message that fits, of those that came and those to come. */
  async find(fits, what = 'message') {
    const test = typeof fits === 'string' ? (m) => m === fits : fits;
    const items = await this.messages.until((all) => all.some(test), typeof fits === 'string' ? fits : what);
    return items.find(test);
  }

  /** Joins a namespace and returns the socket's id. */
  async connect(ns = '/', auth = '') {
    const prefix = ns === '/' ? '' : `${ns},`;
    this.send(`40${prefix}${auth}`);
    const answer = await this.find((m) => typeof m === 'string' && m.startsWith(`40${prefix}{`), 'CONNECT');
    return JSON.parse(answer.slice(2 + prefix.length)).sid;
  }

  /** The code of the close frame, 1005 for none, 1006 without a close handshake. */
  end() {
    return within(this.closed, 'the end of the WebSocket');
  }

  terminate() {
    this.socket.terminate();
  }
}

/** A TCP connection with what came on it so far. */
export class RawConnection {
  received = '';
  chunks = new Log();

  constructor(socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      this.received += text;
      this.chunks.push(text);
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  static async open(fixture, profile = 'main') {
    const socket = net.connect(fixture.port(profile), '127.0.0.1');
    const raw = new RawConnection(socket);
    await next(socket, 'connect');
    return raw;
  }

  write(text) {
    this.socket.write(text, 'latin1');
  }

  until(pattern) {
    return this.chunks.until(() => pattern.test(this.received), String(pattern));
  }

  end() {
    return within(this.closed, 'the end of the connection');
  }
}

/**
 * A TCP proxy in front of a profile. With `blockWebSocket` it cuts connections that ask for a WebSocket, as a
 * middlebox does. `cut` destroys all connections, with `forGood` those to come as well; `waiting` is the number of
 * connections on which a request is unanswered.
 */
export async function proxy(fixture, profile = 'main', { blockWebSocket = false } = {}) {
  const open = new Set();
  const asked = new Set();
  let broken = false;
  const server = net.createServer((inside) => {
    if (broken) {
      inside.destroy();
      return;
    }
    open.add(inside);
    inside.on('error', () => {}).once('close', () => {
      open.delete(inside);
      asked.delete(inside);
    });
    inside.once('data', (head) => {
      if (blockWebSocket && /transport=websocket/.test(head.toString('latin1').split('\r\n')[0])) {
        inside.destroy();
        return;
      }
      const outside = net.connect(fixture.port(profile), '127.0.0.1');
      outside.on('error', () => {}).once('close', () => inside.destroy());
      inside.once('close', () => outside.destroy());
      outside.write(head);
      asked.add(inside);
      inside.on('data', () => asked.add(inside));
      outside.on('data', () => asked.delete(inside));
      inside.pipe(outside);
      outside.pipe(inside);
    });
  });
  await within(new Promise((resolve) => server.listen(0, '127.0.0.1', resolve)), 'the proxy');
  const cut = (forGood = false) => {
    broken = forGood;
    open.forEach((socket) => socket.destroy());
  };
  // Clients leave through it at the end of their test.
  fixture.beforeStop(() => {
    cut();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, cut, waiting: () => asked.size };
}
