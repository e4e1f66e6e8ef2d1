// The live list: new messages appear by themselves, newest first, and each state is visible.
import assert from 'node:assert/strict';
import { api, call, click, counted, fusionAuth, innocent, inState, open, post, rows, scenario, text, until } from './harness.mjs';

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page, requests } = opened;
  // Each visible change of a message is recorded, however short it is.
  await page.evaluate(() => {
    window.states = new Set();
    const note = () => document.querySelectorAll('#rows .row:not([hidden])').forEach((row) => {
      const event = row.querySelector('.event').textContent;
      if (event.startsWith('Watched')) window.states.add(`${event}: ${row.querySelector('.state .chip').textContent}`);
    });
    new MutationObserver(note).observe(document.getElementById('rows'), { subtree: true, childList: true, characterData: true, attributes: true });
  });

  await fusionAuth('live-1');
  await post('/v1/batch', { writeKey: 'local', context: { library: { name: 'analytics-node', version: '3.1.0' } }, batch: [
    { type: 'identify', userId: 'grace', messageId: 'live-2' },
    { type: 'track', userId: 'grace', event: 'Order Completed', messageId: 'live-3' },
  ] });
  await call({ event: 'Last', messageId: 'live-4' });
  await counted(page, 4);
  await inState(page, 'Last', 'delivered');
  const seen = await rows(page);
  assert.deepEqual(seen.map(({ event }) => event)[0], 'Last', 'newest first');
  const times = seen.map(({ time }) => time);
  assert.deepEqual(times, [...times].sort().reverse());
  const login = seen.find(({ event }) => event === 'user.login.success');
  assert.deepEqual([login.source, login.type, login.user], ['fusionauth', 'track', 'ada']);
  assert.match(login.time, /^\d\d:\d\d:\d\d\.\d{3}$/);
  const order = seen.find(({ event }) => event === 'Order Completed');
  assert.deepEqual([order.source, order.type, order.user], ['analytics-node 3.1.0', 'track', 'grace']);
  assert.equal(seen.find(({ type }) => type === 'identify').user, 'grace');

  // Segment is slow: the message is queued and then delivered.
  await api('fault', 'PUT', { delaySeconds: 2, seconds: 300 });
  await call({ event: 'Watched slowly', messageId: 'live-slow' });
  await inState(page, 'Watched slowly', 'queued');
  await inState(page, 'Watched slowly', 'delivered');

  // Segment is down: the message waits, shows the time of the next attempt, and arrives when Segment is back.
  await api('fault', 'PUT', { status: 503, seconds: 300 });
  await call({ event: 'Watched', messageId: 'live-5' });
  await inState(page, 'Watched', 'retrying');
  const waiting = (await rows(page)).find(({ event }) => event === 'Watched');
  assert.match(waiting.where, /stand-in attempt \d+ failed, (next in \d+ s|due now) · .*503/);
  const [before] = waiting.where.match(/next in \d+ s|due now/);
  await until(page, (was) => ![...document.querySelectorAll('.where')].some((cell) => cell.textContent.includes(was)), before);
  await api('fault', 'DELETE');
  await inState(page, 'Watched', 'delivered');
  const states = await page.evaluate(() => [...window.states]);
  const ways = ['Watched slowly: queued', 'Watched slowly: delivered', 'Watched: retrying', 'Watched: delivered'];
  assert.deepEqual(states.filter((state) => state !== 'Watched: queued'), ways);

  // The same message again is the same row, counted.
  await fusionAuth('live-1');
  await until(page, () => [...document.querySelectorAll('.times')].some((times) => times.textContent === '×2'));
  await counted(page, 6);

  // A webhook refuses permanently or is down, independently of Segment.
  await call({ event: 'Refused', messageId: 'live-6', properties: { webhook: 400 } });
  await inState(page, 'Refused', 'dead letter');
  const refused = (await rows(page)).find(({ event }) => event === 'Refused');
  assert.match(refused.where, /^stand-in delivered .*answered 400/);
  await call({ event: 'Away', messageId: 'live-7', properties: { webhook: 503 } });
  await inState(page, 'Away', 'retrying');

  // An event without a message shows the reason.
  await fusionAuth('live-8', { type: 'user.password.breach' });
  await post('/identity/fusionauth', '{"event":');
  await until(page, () => ['ignored', 'rejected'].every((state) => document.querySelector(`#rows .row[data-state=${state}]:not([hidden])`)));
  for (const { state, where } of await rows(page)) {
    if (['ignored', 'rejected'].includes(state)) assert.ok(where.length > 10, `${state}: ${where}`);
  }
  assert.match(await text(page, '#states [data-state=ignored]'), /ignored 1/);

  // A message counts in the state of each destination, as in the tiles, and its row shows Segment beside a worse one.
  await api('fault', 'PUT', { status: 429, retryAfter: 60, seconds: 300 });
  await call({ event: 'Both', messageId: 'live-9', properties: { webhook: 400 } });
  await until(page, () => [...document.querySelectorAll('#rows .row:not([hidden])')].some((row) =>
    row.querySelector('.event').textContent === 'Both' && /retrying/.test(row.querySelector('.where').textContent) && row.dataset.state === 'dead-letter'));
  assert.match((await rows(page))[0].where, /^stand-in retrying .*answered 400/);
  assert.match(await text(page, '#states [data-state=retrying]'), /retrying 2/);
  assert.match(await text(page, '#states [data-state=dead-letter]'), /dead letter 2/);
  await until(page, () => document.getElementById('depths').textContent === '1 for stand-in, 1 for webhooks');
  await click(page, '#states [data-state=retrying]');
  await counted(page, 2);
  await click(page, '#states [data-state=all]');
  await api('fault', 'DELETE');

  // Server-sent events instead of polling: one stream and no other requests.
  const asked = requests.map((url) => new URL(url).pathname).filter((path) => path.startsWith('/debugger/api/'));
  assert.deepEqual(asked.sort(), ['live', 'setup'].map((name) => `/debugger/api/${name}`));
  await click(page, '#show-keys');
  assert.match(await text(page, '#legend'), /retrying An attempt failed/);
  await innocent(opened);
});
