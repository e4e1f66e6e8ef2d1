// Without events the page explains Segue and how to connect. The URLs are right and can be copied, and the copied
// command makes the first event.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { base, click, counted, innocent, open, scenario, text, until } from './harness.mjs';

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await until(page, () => document.querySelectorAll('#welcome .card').length === 4);
  assert.match(await text(page, '#welcome .lead'), /^Segue gets sign-ups, logins and profile changes .* dead letter with the reason/);
  assert.match(await text(page, '#welcome .flow'), /In.*Queue.*Out the stand-in \(a fake Segment built into Segue\)/);
  assert.equal(await page.$eval('#panel', (panel) => panel.checkVisibility()), false, 'nothing covers the steps');
  await click(page, '#test-event');
  await until(page, () => document.getElementById('try-body').value.includes('user.login.success'));
  assert.equal(await page.$eval('#tool-try', (tool) => tool.checkVisibility()), true, 'Try it is open');
  await click(page, '#close');

  const pasted = async (name) => {
    await click(page, `#welcome [data-connect="${name}"] .copyfield button`);
    await until(page, (card) => document.querySelector(`#welcome [data-connect="${card}"] .copy.done`), name);
    const shown = await text(page, `#welcome [data-connect="${name}"] .copyfield code`);
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), shown);
    return shown;
  };
  assert.equal(await pasted('FusionAuth'), `${base}/identity/fusionauth`);
  assert.equal(await pasted('Auth0'), `${base}/identity/auth0/logs`);
  assert.equal(await pasted('Segment library'), base);
  for (const name of ['FusionAuth', 'Auth0', 'Segment library', 'curl']) {
    const steps = await page.$$eval(`#welcome [data-connect="${name}"] li`, (items) => items.length);
    assert.ok(steps >= 2 && steps <= 3, `${name} has ${steps} steps`);
  }
  const others = await page.$$eval('#welcome .others code', (codes) => codes.filter((code) => code.checkVisibility()).map((code) => code.textContent));
  assert.deepEqual(others.filter((url) => !url.startsWith(`${base}/identity/`)), []);
  assert.ok(others.includes(`${base}/identity/clerk`) && others.includes(`${base}/identity/okta`), String(others));

  const command = await pasted('curl');
  assert.equal(execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }), '{"success":true}');
  await counted(page, 1);
  assert.equal(await page.$eval('#welcome', (element) => element.checkVisibility({ visibilityProperty: true })), false);
  await innocent(opened);
});
