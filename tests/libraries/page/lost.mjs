// The server goes away and comes back: the page says so, keeps what it shows, and goes on by itself. The way to the
// server leads through a relay here, so that it can be cut.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { base, call, counted, inState, rows, scenario, text, until } from './harness.mjs';

const target = new URL(base);
const sockets = new Set();
const relay = createServer((socket) => {
  const onward = connect(Number(target.port), target.hostname);
  for (const [from, to] of [[socket, onward], [onward, socket]]) {
    sockets.add(from);
    from.on('error', () => to.destroy()).on('close', () => sockets.delete(from));
    from.pipe(to);
  }
});
const listen = async (port) => {
  relay.listen(port, '127.0.0.1');
  await once(relay, 'listening');
  return relay.address().port;
};

await scenario(async (browser) => {
  const port = await listen(0);
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(`http://127.0.0.1:${port}/`);
  await call({ event: 'Before', messageId: 'lost-1' });
  await inState(page, 'Before', 'delivered');
  assert.equal(await text(page, '#link'), 'live');

  relay.close();
  sockets.forEach((socket) => socket.destroy());
  await until(page, () => document.getElementById('banner').checkVisibility());
  assert.match(await text(page, '#banner'), /^Connection lost, trying again/);
  assert.equal((await rows(page))[0].event, 'Before', 'what was known stays');
  await call({ event: 'Meanwhile', messageId: 'lost-2' });

  await listen(port);
  await until(page, () => !document.getElementById('banner').checkVisibility());
  await inState(page, 'Meanwhile', 'delivered');
  await counted(page, 2);
  assert.equal(await text(page, '#link'), 'live');
  relay.close();
  sockets.forEach((socket) => socket.destroy());
});
