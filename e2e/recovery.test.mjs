// Connection state recovery: connections are cut while events are on their way.

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import {
  call, connected, eventually, matrix, next, pause, record, settled, suite, transportOf, unique,
} from './harness/index.mjs';

/** A TCP proxy in front of the server whose connections can be cut, as a network does that goes away. */
async function wire(t, port) {
  const pairs = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1');
    const pair = { near, far, asked: false };
    pairs.add(pair);
    near.on('data', () => { pair.asked = true; });
    far.on('data', () => { pair.asked = false; });
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on('error', () => {});
      from.on('close', () => { pairs.delete(pair); to.destroy(); });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = () => pairs.forEach(({ near, far }) => { near.resetAndDestroy(); far.end(); });
  // The server notices the loss of a polling client by its waiting request.
  const cut = async (socket) => {
    await eventually(() => transportOf(socket) === 'websocket' || [...pairs].some((p) => p.asked), 'a request that waits');
    drop();
  };
  t.after(() => { server.close(); drop(); });
  return { url: `http://127.0.0.1:${server.address().port}`, cut };
}

const back = (socket) => next(socket, 'connect');

suite('recovery', (fixture) => {
  const dialed = async (bench, t) => {
    const line = await wire(t, new URL(fixture.url('csr')).port);
    const socket = bench.dial({
      profile: 'csr', url: line.url, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50,
    });
    await connected(socket);
    if (bench.setting.name) await settled(socket, bench.setting);
    return { line, socket };
  };

  matrix('a cut connection comes back as itself', fixture, async (bench, t) => {
    const { line, socket } = await dialed(bench, t);
    const other = await bench.connect({ profile: 'csr' });
    const room = unique('room');
    const id = socket.id;
    assert.equal(socket.recovered, false);
    await call(socket, 'join', room);
    await call(socket, 'set-data', { n: 1 });
    assert.deepEqual(await call(socket, 'recovered'), [false]);
    const log = record(socket, 'ev');
    const again = back(socket);
    await line.cut(socket);
    await call(other, 'broadcast', { from: 'nsp', to: [room] }, 'ev', 1, Buffer.from([1, 2]));
    await call(other, 'broadcast', { from: 'nsp', to: ['elsewhere'] }, 'ev', 2);
    await call(other, 'broadcast', { from: 'nsp', except: [room] }, 'ev', 3);
    await call(other, 'broadcast', { from: 'nsp', to: [id] }, 'ev', 4);
    await again;
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    assert.deepEqual(await call(socket, 'recovered'), [true]);
    assert.deepEqual(await call(socket, 'rooms'), [[room], true]);
    assert.deepEqual(await call(socket, 'get-data'), [{ n: 1 }]);
    await call(other, 'broadcast', { from: 'nsp', to: [room] }, 'ev', 5);
    await log.until((items) => items.some(([, n]) => n === 5), 'the last event');
    assert.deepEqual(log.items.map(([, n]) => n), [1, 4, 5]);
    // A client with kept-alive connections retries on another one, and may not notice the cut.
  }, { only: ['polling', 'websocket', 'upgrade', 'websocket first', 'no upgrade'] });

  matrix('thousands of events through many cuts, each once', fixture, async (bench, t) => {
    const { line, socket } = await dialed(bench, t);
    const other = await bench.connect({ profile: 'csr' });
    const [room, total] = [unique('room'), 3000];
    await call(socket, 'join', room);
    const got = [];
    let cuts = 0;
    socket.on('ev', (n) => got.push(n));
    let recovered = 0;
    socket.on('connect', () => { recovered += socket.recovered ? 1 : 0; });
    for (let n = 0; n < total; n++) {
      other.emit('broadcast', { from: 'nsp', to: [room] }, 'ev', n);
      if (n % 500 === 250) {
        await pause(5); // some are on their way
        const again = back(socket);
        cuts++;
        await line.cut(socket);
        for (let more = 0; more < 100; more++) other.emit('broadcast', { from: 'nsp', to: [room] }, 'ev', ++n);
        await again;
        await settled(socket, bench.setting); // a client that is lost in the middle of an upgrade is not missed at once
      }
    }
    await call(other, 'broadcast', { from: 'nsp', to: [room] }, 'end');
    await call(socket, 'id'); // behind all that was emitted
    assert.equal(recovered, cuts);
    assert.equal(got.length, total);
    got.forEach((n, i) => assert.equal(n, i));
  }, { only: ['websocket', 'upgrade'] });

  test('too late, or gone on purpose, is a new client', async (t) => {
    const { Bench } = await import('./harness/client.mjs');
    const bench = new Bench(t, fixture, { options: () => ({ transports: ['websocket'] }) });
    const { line, socket } = await dialed(bench, t);
    const id = socket.id;
    socket.io.randomizationFactor(0);
    socket.io.reconnectionDelay(2500);
    socket.io.reconnectionDelayMax(2600);
    let again = back(socket);
    await line.cut(socket); // longer than the two seconds of the profile
    await again;
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
    again = back(socket);
    socket.disconnect().connect();
    await again;
    assert.equal(socket.recovered, false);
    socket.on('disconnect', () => socket.connect());
    again = back(socket);
    socket.emit('disconnect-me', false);
    await again;
    assert.equal(socket.recovered, false);
  });
});
