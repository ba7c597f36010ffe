// The official client while `siren serve` drains and while another process takes over: it gets everything that was emitted
// before, and is back at the next process by itself. SIREN_BIN names the binary.

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { freePort, start } from './harness/program.mjs';
import { Log, next, within } from './harness/wait.mjs';

const SIREN = path.resolve(fileURLToPath(new URL('.', import.meta.url)), process.env.SIREN_BIN ?? '../bin/siren');
const CLIENTS = 20;

/** A place for processes, one after the other: their ports, and the clients that are there. */
async function place(t, transports, ...flags) {
  const [port, admin] = [await freePort(), await freePort()];
  const args = ['serve', '--addr', `127.0.0.1:${port}`, '--admin-listen', `127.0.0.1:${admin}`, '--drain-spread', '500ms', ...flags];
  const call = async (name, body) => {
    const r = await fetch(`http://127.0.0.1:${admin}/api/${name}`, {
      method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', connection: 'close' },
    });
    assert.equal(r.status, 200, name);
    return r.json();
  };
  const clients = [];
  for (let i = 0; i < CLIENTS; i++) {
    const socket = io(`http://127.0.0.1:${port}`, {
      forceNew: true, autoConnect: false, transports, reconnectionDelay: 50, reconnectionDelayMax: 200,
    });
    t.after(() => socket.disconnect());
    const client = { socket, connects: new Log(), ticks: new Log(), ends: [] };
    socket.on('connect', () => client.connects.push(socket.id));
    socket.on('disconnect', (reason) => client.ends.push(reason));
    socket.on('tick', (n) => client.ticks.push(n));
    clients.push(client);
  }
  return {
    clients,
    serve: () => start(t, SIREN, args, /siren serves/),
    join: () => Promise.all(clients.map((c) => (c.socket.connect(), c.connects.count(1, 'the first connect')))),
    /** Emits numbered events, from one on; all clients must be there. */
    async tick(from, count) {
      for (let n = from; n < from + count; n++) {
        assert.equal((await call('emit', { event: 'tick', args: [n] })).count, CLIENTS);
      }
    },
    /** Wants all clients back, each after one regular end, with all events of before, and an event for all of them. */
    async back(events) {
      for (const c of clients) {
        await c.connects.count(2, 'the client is back');
        assert.deepEqual(c.ticks.items, Array.from({ length: events }, (_, n) => n));
        assert.deepEqual(c.ends, ['transport close']);
      }
      assert.deepEqual(await call('count', {}), { sockets: CLIENTS });
      const heard = clients.map((c) => next(c.socket, 'again'));
      assert.equal((await call('emit', { event: 'again' })).count, CLIENTS);
      await Promise.all(heard);
    },
  };
}

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  test(`a drain, and a new process afterwards, over ${transports}`, async (t) => {
    const p = await place(t, transports);
    const first = await p.serve();
    await p.join();
    await p.tick(0, 100);
    first.child.kill('SIGTERM');
    assert.equal(await within(first.exit, 'the end of the first process'), 0);
    await p.serve();
    await p.back(100);
  });

  test(`another process takes over, over ${transports}`, { skip: process.platform !== 'linux' }, async (t) => {
    const p = await place(t, transports, '--reuse-port');
    const first = await p.serve();
    await p.join();
    await p.tick(0, 100);
    await p.serve();
    assert.equal(await within(first.exit, 'the end of the first process'), 0);
    await p.back(100);
  });
}
