// Takes pictures of the page at four widths and in both schemes.
//
//   node screenshots.mjs PAGE_URL FOLDER SAMPLE
import assert from 'node:assert/strict';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { api, call, click, counted, fusionAuth, further, inState, open, post, scenario, until } from './harness.mjs';

const [folder, sample] = further;
const SIZES = [[360, 740], [768, 1024], [1280, 800], [1920, 1080]];

async function picture(page, name, width, scheme) {
  const path = join(folder, `${name}-${width}-${scheme}.png`);
  await page.screenshot({ path, captureBeyondViewport: false });
  assert.ok((await stat(path)).size > 5_000, path);
}

/** Opens the page in each size and scheme and calls `look`. */
async function each(browser, look) {
  for (const [width, height] of SIZES) {
    for (const scheme of ['light', 'dark']) {
      const { page } = await open(browser, { width, height, scheme });
      await look(page, (name) => picture(page, name, width, scheme));
      await page.close();
    }
  }
}

async function traffic() {
  const library = { library: { name: 'analytics-node', version: '3.1.0' } };
  const login = JSON.parse(await readFile(sample, 'utf8'));
  const people = ['annika', 'mira', 'jonas', 'ada'];
  for (let turn = 0; turn < 12; turn += 1) {
    const user = people[turn % people.length];
    login.event.id = `4b0d2a6e-8c31-4f5d-9e70-00000000${1000 + turn}`;
    login.event.user.id = user;
    await post('/identity/fusionauth', login);
    await post('/v1/batch', { writeKey: 'local', context: library, batch: [
      { type: 'page', userId: user, name: 'Pricing', messageId: `picture-page-${turn}` },
      { type: 'track', userId: user, event: turn % 3 ? 'Product Viewed' : 'Order Completed', properties: { total: 27.5 }, messageId: `picture-track-${turn}` },
    ] });
  }
  await post('/identity/auth0/login', { user: { user_id: 'auth0|691fa0c4e1b2d3f4' }, context: { stats: { loginsCount: 1 } } });
  await fusionAuth('picture-ignored', { type: 'user.password.breach' });
  await post('/identity/fusionauth', '{"event":');
  await call({ event: 'Invoice Paid', context: library, messageId: 'picture-refused', properties: { webhook: 400 } });
}

await scenario(async (browser) => {
  await mkdir(folder, { recursive: true });
  await each(browser, async (page, take) => {
    await until(page, () => document.querySelectorAll('#welcome .card').length === 4);
    await take('first-screen');
  });
  await traffic();
  await api('fault', 'PUT', { status: 429, retryAfter: 20, seconds: 600 });
  for (const event of ['Trial Started', 'Seat Added', 'Plan Upgraded']) await call({ event, userId: 'mira', messageId: `picture-${event}` });
  await each(browser, async (page, take) => {
    await counted(page, 43);
    await inState(page, 'Plan Upgraded', 'retrying');
    await until(page, () => document.querySelector('#chart .in').getAttribute('d'));
    await take('list');
    for (const tool of ['try', 'faults', 'dead-letters', 'connect']) {
      await click(page, `[data-tool=${tool}]`);
      await until(page, (name) => document.getElementById(`tool-${name}`).innerText.length > 40, tool);
      await take(tool);
    }
    await click(page, '#close');
    const find = () => [...document.querySelectorAll('#rows .row:not([hidden])')].find((row) => row.querySelector('.event').textContent === 'Plan Upgraded').id;
    await click(page, `#${await page.evaluate(find)} .event`);
    await until(page, () => document.querySelectorAll('.three > section').length === 3);
    await take('message');
  });
});
