// With a real Segment the page names the endpoint before anything is sent there. It offers no faults and shows no write key.
import assert from 'node:assert/strict';
import { click, further, innocent, inState, open, scenario, text, until } from './harness.mjs';

const [endpoint] = further;

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await until(page, () => document.getElementById('version').textContent);
  assert.equal(await page.$eval('[data-tool=faults]', (button) => button.checkVisibility({ visibilityProperty: true })), false);
  await until(page, (url) => document.getElementById('destination').textContent.includes(url), new URL(endpoint).host);
  assert.match(await text(page, '#flow-out'), /^Segment at http/);
  await click(page, '[data-tool=try]');
  await until(page, () => document.getElementById('try-warning').checkVisibility());
  assert.match(await text(page, '#try-warning'), new RegExp(`^This goes to the real Segment at ${endpoint}`));
  assert.equal(await text(page, '#send'), 'Send to the real Segment');
  assert.match(await text(page, '[data-connect=curl] code'), /^curl -u YOUR_WRITE_KEY: /);
  assert.doesNotMatch(await page.content(), /secret-write-key/);

  await page.keyboard.press('f');
  assert.notEqual(await text(page, '#panel-title'), 'Faults');
  await click(page, '#send');
  await inState(page, 'user.login.success', 'delivered');
  await click(page, '.results .linklike');
  await until(page, (url) => document.querySelector('.three')?.innerText.includes(`POST ${url}/v1/b`), endpoint);
  assert.doesNotMatch(await page.content(), /secret-write-key/);
  await innocent(opened);
});
