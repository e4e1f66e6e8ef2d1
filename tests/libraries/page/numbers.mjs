// The numbers at a glance: incoming and outgoing, the chart, the queue and its age, the failures, the delivery times.
import assert from 'node:assert/strict';
import { api, call, innocent, inState, open, scenario, text, until } from './harness.mjs';

const says = (page, id, pattern) => until(page, (name, source) => new RegExp(source).test(document.getElementById(name).textContent), id, pattern.source);
/** The height of the chart's columns. */
const chart = (page, series) => page.$eval(`#chart .${series}`, (path) => path.getBBox().height);

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await says(page, 'in-rate', /^0\/s$/);
  await says(page, 'oldest', /^nothing waits$/);
  await says(page, 'p50', /^–$/);
  assert.equal(await chart(page, 'in'), 0);

  await Promise.all(Array.from({ length: 20 }, (_, index) => call({ event: 'Counted', messageId: `numbers-${index}` })));
  await says(page, 'in-rate', /^\d+\.\d\/s$|^[1-9]\d*\/s$/);
  await says(page, 'out-rate', /^\d+\.\d\/s$|^[1-9]\d*\/s$/);
  await says(page, 'kept', /^20 messages kept/);
  await says(page, 'p50', /^\d+ ms$|^\d\.\d s$/);
  await says(page, 'p99', /^\d+ ms$|^\d\.\d s$/);
  await until(page, () => document.querySelector('#chart .out').getBBox().height > 5);
  assert.ok(await chart(page, 'in') > 5);
  assert.match(await page.$eval('#chart', (svg) => svg.getAttribute('aria-label')), /^In the last five minutes 20 in and \d+ out, at most \d+ a second$/);
  assert.match(await text(page, '#destination'), /^to the stand-in$/);

  await api('fault', 'PUT', { status: 500, seconds: 300 });
  await call({ event: 'Waiting', messageId: 'numbers-waiting' });
  await inState(page, 'Waiting', 'retrying');
  await says(page, 'depth', /^1$/);
  await says(page, 'oldest', /^waiting, oldest \d+ s$/);
  await says(page, 'depths', /^1 for stand-in$/);
  await says(page, 'destination', /^answers 500, .* left$/);
  await until(page, () => /[1-9]/.test(document.querySelector('#reasons b')?.textContent));
  const since = await text(page, '#oldest');
  await until(page, (was) => document.getElementById('oldest').textContent !== was, since);
  await api('fault', 'DELETE');
  await inState(page, 'Waiting', 'delivered');
  await says(page, 'depth', /^0$/);
  await says(page, 'destination', /^to the stand-in$/);
  await says(page, 'heard', /^\d+ messages?, \d+ waiting$/);
  await innocent(opened);
});
