// Message content is always text: in the list, the filter, the details, dead letters and results.
import assert from 'node:assert/strict';
import { call, click, fusionAuth, innocent, open, scenario, text, until } from './harness.mjs';

const EVIL = '<img src=x onerror="document.title=\'taken\'"><script>document.title=\'taken\'</script>';

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await page.evaluate(() => { window.images = document.images.length; });
  await call({ userId: EVIL, event: EVIL, messageId: `${EVIL}-1`.slice(0, 90), properties: { [EVIL]: EVIL, webhook: 400 }, context: { library: { name: EVIL, version: EVIL } } });
  await fusionAuth('escaping-2', { type: EVIL, user: { id: EVIL, fullName: EVIL } });
  await fusionAuth('escaping-3', { type: 'user.create.complete', user: { id: EVIL, fullName: EVIL, email: 'a@example.com' } });
  await until(page, () => document.querySelectorAll('#rows .row:not([hidden])').length >= 3);
  await until(page, () => document.querySelector('#rows .row[data-state=dead-letter]'));
  assert.ok((await page.$$eval('#rows .user', (cells) => cells.map((cell) => cell.textContent))).includes(EVIL));

  for (const row of await page.$$('#rows .row:not([hidden]) .time')) {
    await row.click();
    await until(page, () => document.getElementById('tool-details').innerText.includes('Received'));
  }
  await until(page, () => document.querySelector('.three').textContent.includes('<img src=x'));
  await click(page, '[data-tool=dead-letters]');
  await page.waitForSelector('#dead-list summary');
  await page.click('#dead-list summary');
  await until(page, (evil) => document.querySelector('#dead-list').textContent.includes(evil), EVIL);
  await click(page, '[data-tool=try]');
  await until(page, () => document.getElementById('try-body').value.length > 0);
  await page.$eval('#try-body', (field, evil) => {
    field.value = JSON.stringify({ event: { id: 'escaping-4', type: 'user.login.success', user: { id: evil } } });
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }, EVIL);
  await click(page, '#send');
  await until(page, () => document.getElementById('try-result').innerText.includes('accepted'));
  await page.type('#text', EVIL);
  await until(page, () => document.querySelectorAll('#rows .row:not([hidden])').length >= 1);

  // A filter from a link is as untrusted as a message.
  const linked = await open(browser, { path: `/?${new URLSearchParams({ text: EVIL, user: EVIL, source: EVIL, type: EVIL, state: EVIL })}` });
  for (const { page: seen } of [opened, linked]) {
    assert.deepEqual(await seen.evaluate(() => ({
      title: document.title,
      images: [...document.images].filter(({ src }) => !src.endsWith('/favicon.svg')).length,
      scripts: [...document.scripts].map(({ src }) => new URL(src).pathname),
    })), { title: 'Segue', images: 0, scripts: ['/debugger/page/main.js'] });
  }
  assert.equal(await text(linked.page, '#shown'), '0 of 4');
  await innocent(opened);
  await innocent(linked);
});
