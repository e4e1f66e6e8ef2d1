// Each filter, alone and combined. The URL holds the filters and restores them.
import assert from 'node:assert/strict';
import { call, click, counted, fusionAuth, innocent, inState, open, post, rows, scenario, text, until } from './harness.mjs';

const events = async (page) => (await rows(page)).map(({ event }) => event).sort();
const query = (page) => page.evaluate(() => location.search);

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await fusionAuth('filter-1', { user: { id: 'grace' } });
  await fusionAuth('filter-2', { type: 'user.password.breach' });
  const context = { library: { name: 'analytics-node', version: '3.1.0' } };
  await call({ event: 'Order Completed', userId: 'grace', context, messageId: 'filter-3' });
  await call({ event: 'Signed Up', userId: 'ada', context, messageId: 'filter-4' });
  await call({ userId: 'ada', event: undefined, name: 'Home', messageId: 'filter-5' }, '/v1/page');
  await counted(page, 5);
  await inState(page, 'Order Completed', 'delivered');

  await page.select('#type', 'page');
  await counted(page, 1);
  assert.equal(await query(page), '?type=page');
  await click(page, '#clear');
  await counted(page, 5);
  assert.equal(await query(page), '');

  await page.select('#source', 'fusionauth');
  await counted(page, 2);
  assert.equal(await query(page), '?source=fusionauth');
  await page.select('#source', '');

  await click(page, '#states [data-state=ignored]');
  await counted(page, 1);
  assert.equal(await query(page), '?state=ignored');
  assert.equal(await page.$eval('#states [data-state=ignored]', (chip) => chip.ariaPressed), 'true');
  await click(page, '#states [data-state=all]');
  await counted(page, 5);

  await page.type('#user', 'GRA');
  await counted(page, 2);
  assert.deepEqual(await events(page), ['Order Completed', 'user.login.success']);
  assert.equal(await query(page), '?user=GRA');

  // Combined, over a reload, and in a shared link.
  await page.type('#text', 'order comp');
  await counted(page, 1);
  assert.equal(await query(page), '?user=GRA&text=order+comp');
  assert.equal(await text(page, '#shown'), '1 of 5');
  await page.reload();
  await counted(page, 1);
  assert.deepEqual(await events(page), ['Order Completed']);
  assert.deepEqual(await page.$$eval('#user, #text', (fields) => fields.map(({ value }) => value)), ['order comp', 'GRA']);
  const linked = await open(browser, { path: '/?source=analytics-node+3.1.0&type=track&state=delivered' });
  await until(linked.page, () => document.getElementById('grid').getAttribute('aria-rowcount') === '3');
  assert.deepEqual(await events(linked.page), ['Order Completed', 'Signed Up']);
  assert.equal(await linked.page.$eval('#source', ({ value }) => value), 'analytics-node 3.1.0');

  // New messages are filtered too, and an empty result says so.
  await linked.page.bringToFront();
  await call({ event: 'Not a node', messageId: 'filter-6' });
  await call({ event: 'Third', context, messageId: 'filter-7' });
  await counted(linked.page, 3);
  assert.ok((await events(linked.page)).includes('Third') && !(await events(linked.page)).includes('Not a node'));
  await linked.page.type('#text', 'no such thing');
  await counted(linked.page, 0);
  assert.equal(await text(linked.page, '#nothing'), 'No message matches the filter.');
  // By the reason in the last cell.
  await page.bringToFront();
  await click(page, '#clear');
  await post('/identity/fusionauth', '{"event":');
  await page.type('#text', 'json');
  // Each typed letter filters.
  await until(page, () => {
    const shown = [...document.querySelectorAll('#rows .row:not([hidden])')];
    return shown.length === 1 && shown[0].dataset.state === 'rejected';
  });
  await innocent(opened);
  await innocent(linked);
});
