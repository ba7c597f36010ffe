// Programs besides the fixture: examples/nethttp and proxies.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, within } from './wait.mjs';

export const NETHTTP = path.resolve(
  fileURLToPath(new URL('..', import.meta.url)),
  process.env.NETHTTP_BIN ?? '../bin/nethttp',
);

/** Whether a program is installed. */
export function installed(name) {
  return spawnSync(name, ['-v'], { env: withSbin() }).error === undefined;
}

function withSbin() {
  return { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
}

/** A directory that is gone after the test. */
export function directory(t) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'siren-e2e-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A port that nobody listens on just now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const children = new Set();
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Runs a program until the test ends; resolves with what it says that matches, when there is a pattern. */
export async function run(t, file, args, pattern) {
  return (await start(t, file, args, pattern)).said;
}

/**
 * Runs a program until the test ends, unless it ends before. Resolves, when it has said something that matches the pattern,
 * with that, its process, and a promise of its exit code.
 */
export async function start(t, file, args, pattern) {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: withSbin() });
  let text = '';
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.once('error', (err) => {
    text += String(err);
  });
  children.add(child);
  t.after(async () => {
    child.kill('SIGTERM');
    const code = await within(exit, `the end of ${file}; it said: ${text}`);
    children.delete(child);
    if (file === NETHTTP && code !== 0) throw new Error(`it ended with ${code}: ${text}`);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  if (!pattern) return { child, exit, said: null };
  const said = await eventually(() => {
    if (child.exitCode !== null) throw new Error(`${file} ended: ${text}`);
    return text.match(pattern);
  }, `${file} is ready`);
  return { child, exit, said };
}

/** Waits until somebody accepts connections there. */
export function accepting(port) {
  return eventually(
    () =>
      new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1', () => {
          socket.destroy();
          resolve(true);
        });
        socket.once('error', () => resolve(false));
      }),
    `port ${port} accepts`,
  );
}
