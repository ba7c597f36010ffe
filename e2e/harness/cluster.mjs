// Clusters of real nodes: redis-server, `fixture -cluster`, and nodes of the reference server.

import { spawn, spawnSync } from 'node:child_process';
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

  constructor(query) {
    this.#query = query;
  }

  async start(kinds) {
    this.port = await freePort();
    await this.startRedis();
    for (const kind of kinds) await this.add(kind);
    return this;
  }

  async startRedis() {
    this.redis = new Child('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']);
    await this.redis.ready(/Ready to accept connections/);
  }

  get url() {
    return `redis://127.0.0.1:${this.port}?${this.#query}`;
  }

  /** Adds a node: "siren" or "node". */
  async add(kind) {
    const port = await freePort();
    const child = kind === 'siren'
      ? new Child(FIXTURE, ['-cluster', this.url, '-port', String(port)])
      : new Child(process.execPath, [path.join(HERE, 'cluster-node.mjs'), this.url, String(port)]);
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

  async stop() {
    this.sockets.forEach((s) => s.disconnect());
    const bad = [];
    for (const { kind, child } of this.nodes) {
      if (!child.running) continue;
      const status = await child.end();
      if (kind === 'siren' && (status !== 0 || /DATA RACE|panic/i.test(child.stderr))) bad.push(`${status}: ${child.stderr}`);
    }
    if (this.redis.running) await this.redis.end('SIGKILL');
    if (bad.length > 0) throw new Error(`a node ended badly: ${bad.join('\n')}`);
  }
}
