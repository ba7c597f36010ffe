// Clusters of real nodes: a broker, `fixture -cluster`, and nodes of the reference server.

import { spawn, spawnSync } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { freePort } from './program.mjs';
import { eventually, next, within } from './wait.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const FIXTURE = path.resolve(HERE, '..', process.env.FIXTURE_BIN ?? '../bin/fixture');

/** Whether redis-server is installed. Without it, clusters are not tested. */
export const hasRedis = spawnSync('redis-server', ['--version']).error === undefined;

const children = new Set();
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** A program that a test started, and ends by its process. */
export class Child {
  #child;
  #exit;
  stderr = '';

  constructor(file, args) {
    this.#child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.file = file;
    children.add(this.#child);
    this.stdout = '';
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.#exit = new Promise((resolve) => {
      this.#child.once('error', (err) => resolve(String(err)));
      this.#child.once('exit', (code, signal) => resolve(signal ?? code));
    });
    this.#exit.then(() => children.delete(this.#child));
  }

  get running() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name) {
    this.#child.kill(name);
  }

  /** Asks it to end, and returns its status. */
  async end(signal = 'SIGTERM') {
    this.#child.kill(signal);
    return within(this.#exit, `the end of ${this.file}: ${this.stderr.slice(-2_000)}`);
  }

  ready(pattern) {
    return eventually(() => {
      if (!this.running) throw new Error(`${this.file} ended: ${this.stdout} ${this.stderr}`);
      return pattern.test(this.stdout);
    }, `${this.file} is ready`);
  }
}

/** A broker with the nodes of one test. */
export class Cluster {
  nodes = [];
  sockets = [];
  #query;

  /** The broker is Redis with that query, "nats" with the query behind a space, or "embedded", in the nodes themselves. */
  constructor(query) {
    [this.kind, this.#query] = /^nats|^embedded/.test(query) ? [...query.split(' '), ''] : ['redis', query];
  }

  async start(kinds) {
    this.port = await freePort();
    await this.startBroker();
    for (const kind of kinds) await this.add(kind);
    return this;
  }

  async startBroker() {
    if (this.kind === 'embedded') return;
    if (this.kind === 'nats') {
      this.broker = new Child(FIXTURE, ['-nats', '-port', String(this.port)]);
      await this.broker.ready(/^ready/m);
      return;
    }
    this.broker = new Child('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']);
    await this.broker.ready(/Ready to accept connections/);
  }

  /** The broker's URL for the next node. */
  async url() {
    if (this.kind !== 'embedded') return `${this.kind}://127.0.0.1:${this.port}?${this.#query}`;
    const port = this.nodes.length === 0 ? this.port : await freePort();
    return `embedded://127.0.0.1:${port}?route=127.0.0.1:${this.port}&secret=e2e`;
  }

  /** Adds a node: "siren" or "node". */
  async add(kind) {
    const [port, url] = [await freePort(), await this.url()];
    const child = kind === 'siren'
      ? new Child(FIXTURE, ['-cluster', url, '-port', String(port)])
      : new Child(process.execPath, [path.join(HERE, 'cluster-node.mjs'), url, String(port)]);
    await child.ready(/^ready/m);
    const node = { kind, port, name: String(port), child };
    this.nodes.push(node);
    return node;
  }

  /** Connects a client to a node. */
  async connect(node, { nsp = '/', query = {}, ...options } = {}) {
    const socket = io(`http://127.0.0.1:${node.port}${nsp}`, { transports: ['websocket'], forceNew: true, query, ...options });
    this.sockets.push(socket);
    await next(socket, 'connect');
    return socket;
  }

  /** Runs a command of redis-cli. */
  redisCommand(...words) {
    return spawnSync('redis-cli', ['-p', String(this.port), ...words], { encoding: 'utf8' }).stdout.trim();
  }

  /** Publishes on subjects of NATS, past the nodes, and waits for the broker to have it. */
  async natsPublish(messages) {
    const socket = net.connect(this.port, '127.0.0.1');
    const lines = messages.map(([subject, body]) => `PUB ${subject} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
    socket.write(`CONNECT {"verbose":false}\r\n${lines.join('')}PING\r\n`);
    await new Promise((resolve, reject) => {
      socket.once('error', reject).once('close', reject).on('data', (data) => String(data).includes('PONG') && resolve());
    });
    socket.destroy();
  }

  async stop() {
    this.sockets.forEach((s) => s.disconnect());
    const bad = [];
    for (const { kind, child } of this.nodes) {
      if (!child.running) continue;
      const status = await child.end();
      if (kind === 'siren' && (status !== 0 || /DATA RACE|panic/i.test(child.stderr))) bad.push(`${status}: ${child.stderr}`);
    }
    if (this.broker?.running) await this.broker.end('SIGKILL');
    if (bad.length > 0) throw new Error(`a node ended badly: ${bad.join('\n')}`);
  }
}
