// New rows do not move the rows that a person reads. They are counted while the list is paused or scrolled down.
import assert from 'node:assert/strict';
import { api, call, click, counted, drawn, innocent, inState, open, post, rows, scenario, until } from './harness.mjs';

const batch = (from, count) => post('/v1/batch', { writeKey: 'local', batch: Array.from({ length: count }, (_, index) =>
  ({ type: 'track', userId: 'ada', event: `Event ${from + index}`, messageId: `reading-${from + index}` })) });
const seen = async (page) => (await rows(page)).map(({ id, top }) => `${id} at ${top}`);

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await batch(0, 200);
  await counted(page, 200);

  await click(page, '#pause');
  await until(page, () => document.getElementById('pause').textContent === 'Resume');
  const paused = await seen(page);
  await batch(200, 128);
  await until(page, () => document.getElementById('newer').checkVisibility() && document.getElementById('newer').textContent === '128 new');
  assert.deepEqual(await seen(page), paused);
  await click(page, '#pause');
  await counted(page, 328);
  assert.equal((await rows(page))[0].event, 'Event 327');
  assert.equal(await page.$eval('#newer', (button) => button.checkVisibility()), false);

  // Scrolled with the wheel, as a person does.
  await page.mouse.move(600, 600);
  await page.mouse.wheel({ deltaY: 1_500 });
  await until(page, () => document.getElementById('scroller').scrollTop === 1_500);
  await drawn(page);
  const reading = await seen(page);
  await batch(328, 50);
  await until(page, () => document.getElementById('newer').textContent === '50 new');
  assert.deepEqual(await seen(page), reading);
  assert.equal(await page.$eval('#scroller', (scroller) => scroller.scrollTop), 1_500);
  await click(page, '#newer');
  await until(page, () => document.querySelector('#grid').getAttribute('aria-rowcount') === '379');
  assert.equal((await rows(page))[0].event, 'Event 377');

  // A row in a held list still changes its state.
  await api('fault', 'PUT', { status: 503, seconds: 300 });
  await call({ event: 'Held', messageId: 'held' });
  await inState(page, 'Held', 'retrying');
  await page.keyboard.press('p');
  await api('fault', 'DELETE');
  await inState(page, 'Held', 'delivered');
  await until(page, () => document.getElementById('pause').textContent === 'Resume');
  await innocent(opened);
});
