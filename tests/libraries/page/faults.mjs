// Faults: the stand-in fails in each way for a while. The page says what happens, and it happens.
import assert from 'node:assert/strict';
import { api, call, click, counted, innocent, inState, open, rows, scenario, text, until } from './harness.mjs';

const pick = (page, words) => page.$$eval('.choice', (all, wanted) => all.find((label) => label.innerText.includes(wanted)).click(), words);
const now = (page, pattern) => until(page, (source) => new RegExp(source).test(document.getElementById('fault-now').textContent), pattern.source);
const end = async (page) => {
  await until(page, () => !document.getElementById('fault-end').disabled);
  await click(page, '#fault-end');
  await now(page, /^Now the stand-in is healthy\.$/);
};

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await click(page, '[data-tool=faults]');
  await now(page, /^Now the stand-in is healthy\.$/);
  assert.match(await text(page, '#fault-forecast'), /^For 30 s the stand-in \(a fake Segment built into Segue\) answers 429\. Messages wait and retry, then all arrive\. Senders still get 200\.$/);

  for (const status of ['429', '500', '503']) {
    await pick(page, `answers ${status}`);
    await page.select('#fault-seconds', '300');
    assert.match(await text(page, '#fault-forecast'), new RegExp(`^For 5 min the stand-in .* answers ${status}\\.`));
    await click(page, '#fault-start');
    await now(page, new RegExp(`^Now the stand-in answers ${status}, (5 min|4 min \\d+ s) left`));
    await call({ event: `At ${status}`, messageId: `faults-${status}` });
    await inState(page, `At ${status}`, 'retrying');
    assert.match((await rows(page))[0].where, new RegExp(status));
    await end(page);
    await inState(page, `At ${status}`, 'delivered');
  }

  // Slow: delivered at the first attempt, only later.
  await pick(page, 'slowly');
  assert.equal(await page.$eval('#retry-after-field', ({ hidden }) => hidden), true);
  await click(page, '#fault-start');
  await now(page, /^Now the stand-in answers after 5 s/);
  await call({ event: 'Slow', messageId: 'faults-slow' });
  await inState(page, 'Slow', 'queued');
  await inState(page, 'Slow', 'delivered');
  const { deliveries } = await api(`messages/${(await rows(page)).find(({ event }) => event === 'Slow').id}`);
  assert.equal(deliveries[0].attempts.length, 1);
  assert.ok(deliveries[0].attempts[0].milliseconds >= 4_900, JSON.stringify(deliveries));
  await end(page);

  // Silent: the attempt ends at its deadline and is retried.
  await pick(page, 'does not answer');
  await click(page, '#fault-start');
  await now(page, /^Now the stand-in does not answer/);
  await call({ event: 'Silent', messageId: 'faults-silent' });
  await inState(page, 'Silent', 'retrying');
  await end(page);
  await inState(page, 'Silent', 'delivered');

  // With three samples, and it ends by itself.
  await pick(page, 'answers 503');
  await page.select('#fault-seconds', '10');
  await page.select('#retry-after', '');
  await click(page, '#fault-send');
  await counted(page, 8);
  await until(page, () => document.querySelectorAll('#rows .row[data-state=retrying]:not([hidden])').length === 3);
  await until(page, () => document.getElementById('fault-left').value > 0);
  await now(page, /^Now the stand-in is healthy\.$/);
  await until(page, () => document.querySelectorAll('#rows .row[data-state=delivered]:not([hidden])').length === 8);
  await innocent(opened);
});
