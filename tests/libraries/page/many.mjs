// More than 10,000 messages: the page keeps the newest 10,000, has elements for visible rows only, and stays fast while
// messages arrive and while a person scrolls.
import assert from 'node:assert/strict';
import { call, innocent, open, post, rows, scenario, text, until } from './harness.mjs';

const BATCH = 250;
const MESSAGES = 10_250;

async function send(from, to) {
  for (let first = from; first < to; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, to - first) }, (_, index) =>
      ({ type: 'track', userId: `user-${(first + index) % 100}`, event: `Event ${first + index}`, messageId: `many-${first + index}` }));
    const answer = await post('/v1/batch', { writeKey: 'local', batch });
    assert.equal(answer.status, 200);
  }
}

const elements = (page) => page.evaluate(() => document.querySelectorAll('*').length);
const shown = (page) => page.$eval('#shown', (output) => Number(output.textContent.replaceAll(/\D/g, '')));

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await send(0, 1_000);
  await until(page, () => document.getElementById('shown').textContent === '1,000 messages');
  const few = await elements(page);
  await send(1_000, MESSAGES);
  await until(page, () => document.getElementById('shown').textContent === '10,000 messages');
  await until(page, () => document.querySelector('#states [data-state=delivered] b').textContent === '10,000');
  // The newest may not have arrived yet.
  await until(page, (last) => [...document.querySelectorAll('#rows .row:not([hidden]) .event')].some((event) => event.textContent === last), `Event ${MESSAGES - 1}`);
  assert.ok(await elements(page) <= few + 60, `${few} elements with 1,000 messages, ${await elements(page)} with 10,000`);
  assert.ok((await rows(page)).length < 60);
  assert.equal((await rows(page))[0].event, `Event ${MESSAGES - 1}`);

  // Meanwhile no task blocked the page for long.
  const busy = await page.evaluate(() => window.seen.longest);
  // While a person scrolls, each frame is in time and shows rows.
  const frames = await page.evaluate(async () => {
    const scroller = document.getElementById('scroller');
    const times = [];
    let blank = 0;
    let last = await new Promise(requestAnimationFrame);
    for (let step = 0; step < 120; step += 1) {
      scroller.scrollTop = step * 2_800;
      const now = await new Promise(requestAnimationFrame);
      times.push(now - last);
      last = now;
      await new Promise((resolve) => setTimeout(resolve));
      const box = scroller.getBoundingClientRect();
      if (!document.elementFromPoint(box.left + 200, box.top + box.height / 2)?.closest('.row')) blank += 1;
    }
    return { median: times.sort((one, other) => one - other)[60], slowest: times.at(-1), blank };
  });
  console.log(JSON.stringify({ elements: await elements(page), longestTask: busy, ...frames }));
  assert.equal(frames.blank, 0, 'no frame without rows');
  // A busy machine keeps these bounds; a list with 10,000 elements does not.
  assert.ok(busy < 400, `a task took ${busy} ms`);
  assert.ok(frames.median < 50, `the median frame took ${frames.median} ms`);

  // The oldest kept message is at the end.
  await page.$eval('#scroller', (scroller) => scroller.scrollTo(0, scroller.scrollHeight));
  await until(page, (event) => [...document.querySelectorAll('#rows .row:not([hidden]) .event')].some((cell) => cell.textContent === event), `Event ${MESSAGES - 10_000}`);
  assert.equal((await rows(page)).at(-1).event, `Event ${MESSAGES - 10_000}`);
  await call({ event: 'One more', messageId: 'one-more' });
  await until(page, () => document.getElementById('newer').textContent === '1 new');
  assert.equal(await shown(page), 10_000);
  // A new page loads all of them at once.
  await page.reload();
  await until(page, () => document.getElementById('shown').textContent === '10,000 messages');
  await until(page, () => document.querySelector('#rows .event')?.textContent === 'One more');
  assert.match(await text(page, '#kept'), /^10,000 messages kept/);
  await innocent(opened);
});
