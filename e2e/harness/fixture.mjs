// The server under test: one process for each test file, on ports of its own.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { crashed, within } from './wait.mjs';

const BINARY = path.resolve(
  fileURLToPath(new URL('..', import.meta.url)),
  process.env.FIXTURE_BIN ?? '../bin/fixture',
);

/** Port offsets of the profiles and the paths they are mounted on. */
const PROFILES = {
  main: { offset: 0, path: '/socket.io/' },
  fast: { offset: 1, path: '/socket.io/' },
  csr: { offset: 2, path: '/socket.io/' },
  engine3: { offset: 4, path: '/engine.io/' },
  opts: { offset: 5, path: '/custom-path/' },
  msgpack: { offset: 6, path: '/socket.io/' },
};

// Ten ports for the profiles, and one that is held as a lock: listeners of the server itself share ports, so
// they would not notice each other. The range is below the kernel's range of client ports.
const RANGE = 20;
const FIRST = 12_000;
const RANGES = 1_000;

function listen(port, host) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}

async function reservePorts() {
  const start = process.pid % RANGES;
  for (let i = 0; i < RANGES; i++) {
    const base = FIRST + ((start + i) % RANGES) * RANGE;
    const held = [];
    try {
      const lock = await listen(base + RANGE - 1, '127.0.0.1');
      held.push(lock);
      for (let p = base; p < base + 10; p++) held.push(await listen(p, '127.0.0.1'));
      await Promise.all(held.slice(1).map((s) => new Promise((done) => s.close(done))));
      lock.unref();
      return { base, lock };
    } catch (err) {
      held.forEach((s) => s.close());
      if (err.code !== 'EADDRINUSE') throw err;
    }
  }
  throw new Error('no free range of ports');
}

export class Fixture {
  #args;
  #child = null;
  #stopping = false;
  #lock = null;
  #stderr = '';
  #ports = 0;
  #farewells = [];

  /** `args` are further options of the server's command line. */
  constructor(args = []) {
    this.#args = args;
  }

  /** Starts the process and waits for its "ready". After a kill the same ports are used again. */
  async start() {
    if (!this.#lock) {
      const { base, lock } = await reservePorts();
      this.#ports = base;
      this.#lock = lock;
    }
    this.#stopping = false;
    const child = spawn(BINARY, ['-port', String(this.#ports), ...this.#args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    process.once('exit', () => child.kill('SIGKILL'));
    // The test runner sends SIGTERM to a file that takes too long.
    process.once('SIGTERM', () => process.exit(1));
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr += text;
    });
    child.once('exit', (code, signal) => this.#exited(child, code, signal));
    const ready = new Promise((resolve, reject) => {
      let out = '';
      child.once('error', (err) => {
        this.#child = null;
        reject(err);
      });
      child.stdout.setEncoding('utf8').on('data', (text) => {
        out += text;
        if (/^ready\b/m.test(out)) resolve();
      });
    });
    await within(ready, `"ready" of ${BINARY}`);
  }

  #exited(child, code, signal) {
    if (this.#stopping || child !== this.#child) return;
    this.#child = null;
    process.exitCode = 1;
    process.stderr.write(`the server died (${signal ?? code}); its stderr:\n${this.#stderr}\n`);
    crashed(new Error(`the server died (${signal ?? code}): ${this.#stderr.slice(0, 2_000)}`));
  }

  /** Kills the process without warning, as a crash of its machine would. */
  async kill() {
    const exit = this.#awaitExit();
    this.#child.kill('SIGKILL');
    await exit;
  }

  /** Registers what is to be done before the process is asked to end. */
  beforeStop(fn) {
    this.#farewells.push(fn);
  }

  /** Asks the process to end, and checks that it did so cleanly. */
  async stop() {
    this.#lock?.close();
    if (this.#child) await Promise.allSettled(this.#farewells.map((fn) => fn()));
    if (!this.#child) throw new Error(`the server was not there at the end: ${this.#stderr.slice(0, 2_000)}`);
    const exit = this.#awaitExit();
    this.#child.kill('SIGTERM');
    const { code, signal } = await exit;
    if (code !== 0 || /DATA RACE|panic/i.test(this.#stderr)) {
      throw new Error(`the server ended with ${signal ?? code}; its stderr:\n${this.#stderr}`);
    }
  }

  async #awaitExit() {
    const child = this.#child;
    this.#stopping = true;
    const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    return within(exit, 'the end of the server').catch((err) => {
      child.kill('SIGKILL');
      throw err;
    });
  }

  port(profile = 'main') {
    return this.#ports + PROFILES[profile].offset;
  }

  path(profile = 'main') {
    return PROFILES[profile].path;
  }

  /** The origin of a profile, without a path. */
  url(profile = 'main') {
    return `http://127.0.0.1:${this.port(profile)}`;
  }
}

/** A suite with a server of its own. `define` gets the Fixture, which is up when the tests run. */
export function suite(name, define, { args, ...options } = {}) {
  describe(name, { concurrency: 1, ...options }, () => {
    const fixture = new Fixture(args);
    before(() => fixture.start());
    after(() => fixture.stop());
    define(fixture);
  });
}
