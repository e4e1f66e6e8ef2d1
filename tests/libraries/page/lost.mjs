// The connection breaks and comes back: the page reports it, keeps its rows, and continues. A relay to the server makes
// the break.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { base, call, counted, drawn, inState, post, rows, scenario, text, token, until } from './harness.mjs';

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
  await page.goto(`http://127.0.0.1:${port}/${token ? `?token=${token}` : ''}`);
  await call({ event: 'Before', messageId: 'before' });
  await inState(page, 'Before', 'delivered');
  assert.equal(await text(page, '#link'), 'live');
  const batch = Array.from({ length: 100 }, (_, index) => ({ type: 'track', userId: 'ada', event: `Event ${index}`, messageId: `lost-${index}` }));
  await post('/v1/batch', { writeKey: 'local', batch });
  await counted(page, 101);
  await page.mouse.move(600, 400);
  await page.mouse.wheel({ deltaY: 1_000 });
  await until(page, () => document.getElementById('scroller').scrollTop === 1_000);
  await drawn(page);
  const reading = await rows(page);

  relay.close();
  sockets.forEach((socket) => socket.destroy());
  await until(page, () => document.getElementById('banner').checkVisibility());
  assert.match(await text(page, '#banner'), /^Connection lost\./);
  // The banner takes the place of the last rows.
  const kept = (await rows(page)).map(({ id }) => id);
  assert.ok(kept.length >= reading.length - 2, `${kept.length} of ${reading.length}`);
  assert.deepEqual(kept, reading.map(({ id }) => id).slice(0, kept.length), 'the known rows stay');
  await call({ event: 'Meanwhile', messageId: 'meanwhile' });

  await listen(port);
  await until(page, () => !document.getElementById('banner').checkVisibility());
  await until(page, () => document.getElementById('newer').textContent === '1 new');
  assert.deepEqual((await rows(page)).map(({ id, top }) => `${id} at ${top}`), reading.map(({ id, top }) => `${id} at ${top}`));
  await page.click('#newer');
  await inState(page, 'Meanwhile', 'delivered');
  await counted(page, 102);
  assert.equal(await text(page, '#link'), 'live');
  relay.close();
  sockets.forEach((socket) => socket.destroy());
});
