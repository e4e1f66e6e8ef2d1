// Dead letters: they are listed, opened, redriven one by one, by a filter and all together. A purge asks first.
import assert from 'node:assert/strict';
import { call, click, innocent, inState, open, persistently, scenario, text, until } from './harness.mjs';

const dead = (page, count) => until(page, (wanted) => document.querySelectorAll('#dead-list > li').length === wanted, count);
const note = (page, pattern) => until(page, (source) => new RegExp(source).test(document.getElementById('dead-note').textContent), pattern.source);
/** Presses the button with that name at the dead letter of that event. */
const press = (page, event, name) => persistently(async () => {
  const button = await page.waitForFunction((wanted, label) => [...document.querySelectorAll('#dead-list li')]
    .find((item) => item.innerText.includes(wanted))?.querySelectorAll('button').values().find(({ textContent }) => textContent === label),
  { polling: 50 }, event, name);
  await button.click();
});
const refuse = async (page, event, type = 'track', status = 400) => {
  const path = `/v1/${type}`;
  await call({ event: type === 'track' ? event : undefined, name: event, messageId: `dead-${event}`, properties: { webhook: status } }, path);
};

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await click(page, '[data-tool=dead-letters]');
  await note(page, /^No dead letters\./);
  assert.ok(await page.$eval('#purge-all', ({ disabled }) => disabled));

  for (const event of ['One', 'Two', 'Three', 'Four']) await refuse(page, event);
  await refuse(page, 'Home', 'page');
  await dead(page, 5);
  await until(page, () => document.getElementById('dead-count').textContent === '5');
  await note(page, /^5 dead letters$/);

  // Rejected messages of a batch are listed separately. The answer that came before them is late.
  let late;
  const hold = (request) => (!late && request.url().endsWith('/rejected') ? (late = request) : request.continue());
  page.on('request', hold);
  await page.setRequestInterception(true);
  await click(page, '[data-tool=rejected]');
  await call({ batch: [{ type: 'page', userId: 'ada' }, { type: 'track', userId: 'ada', n: 1.50 }] }, '/v1/batch');
  await until(page, () => /^1 rejected message\. Fix the sender/.test(document.getElementById('rejected-note').textContent));
  await late.respond({ contentType: 'application/json', body: '{"messages":[],"total":0}' });
  page.off('request', hold);
  await page.setRequestInterception(false);
  await page.click('#rejected-list summary');
  await until(page, () => document.querySelector('#rejected-list pre')?.innerText.includes('"userId": "ada"'));
  assert.match(await text(page, '#rejected-list summary'), /event is missing/);
  await until(page, () => document.getElementById('rejected-count').textContent === '1');
  await click(page, '[data-tool=dead-letters]');
  await until(page, () => document.querySelector('#dead-list summary').innerText.includes('127.0.0.1'));

  // One is opened.
  const words = await page.$$eval('#dead-list summary', (all) => all.map((summary) => summary.innerText.replaceAll(/\s+/g, ' ')));
  assert.ok(words.some((line) => /127\.0\.0\.1.*track · Four ada .*400.*1 attempt/.test(line)), words.join('\n'));
  await page.click('#dead-list summary');
  await until(page, () => document.querySelector('#dead-list details[open] pre')?.innerText.includes('"messageId": "dead-'));
  await press(page, 'Four', 'Details');
  await until(page, () => document.getElementById('tool-details').innerText.includes('dead letter'));
  assert.match(await text(page, '#panel-title'), /Four/);
  await click(page, '[data-tool=dead-letters]');
  await dead(page, 5);

  // One is redriven, and refused again.
  await press(page, 'Three', 'Redrive');
  await note(page, /1 message put back|dead letters$/);
  await dead(page, 5);

  // A filtered purge leaves the others, and nothing happens before the confirmation.
  await page.select('#dead-type', 'page');
  await dead(page, 1);
  assert.equal(await text(page, '#purge-all'), 'Purge these…');
  await click(page, '#purge-all');
  await until(page, () => document.getElementById('sure').open);
  assert.match(await text(page, '#sure'), /^Purge 1 dead letter\? This deletes permanently.*Cancel Purge 1$/);
  assert.equal(await page.evaluate(() => document.activeElement.value), 'no', 'Cancel is what Enter does');
  await page.keyboard.press('Enter');
  await until(page, () => !document.getElementById('sure').open);
  await page.select('#dead-type', '');
  await dead(page, 5);
  await page.select('#dead-type', 'page');
  await click(page, '#purge-all');
  await until(page, () => document.getElementById('sure').open);
  await click(page, '#sure-yes');
  await note(page, /^1 dead letter purged/);
  await until(page, () => document.getElementById('dead-count').textContent === '4');

  // One is purged with the keyboard. Escape cancels.
  await page.select('#dead-type', '');
  await dead(page, 4);
  await page.focus('#dead-list .danger');
  await page.keyboard.press('Enter');
  await until(page, () => document.getElementById('sure').open);
  await page.keyboard.press('Escape');
  await until(page, () => !document.getElementById('sure').open);
  await dead(page, 4);
  assert.ok(await page.$eval('#panel', (panel) => panel.checkVisibility()), 'Escape closed the question only');

  // The webhook works again: all are redriven and arrive.
  const repaired = await fetch(process.argv[3], { method: 'POST', body: '"repair"' });
  assert.equal(repaired.status, 200);
  await click(page, '#redrive-all');
  await note(page, /^4 messages put back into the queue\.$|^No dead letters\./);
  await dead(page, 0);
  await inState(page, 'Four', 'delivered');
  await inState(page, 'One', 'delivered');

  // All are purged.
  await fetch(process.argv[3], { method: 'POST', body: '"break"' });
  for (const event of ['Five', 'Six']) await refuse(page, event);
  await dead(page, 2);
  await click(page, '#purge-all');
  await until(page, () => document.getElementById('sure').open);
  await click(page, '#sure-yes');
  await note(page, /^2 dead letters purged/);
  await dead(page, 0);
  await until(page, () => document.getElementById('dead-count').hidden);
  await innocent(opened);
});
