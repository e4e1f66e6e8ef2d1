// Where only the provider can sign, Try it shows the messages and sends nothing.
import assert from 'node:assert/strict';
import { api, click, innocent, open, scenario, text, until } from './harness.mjs';

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await click(page, '[data-tool=try]');
  await until(page, () => document.getElementById('try-body').value);
  await click(page, '#send');
  await until(page, () => document.querySelector('#try-result pre'));
  assert.match(await text(page, '#try-result'), /^Nothing was sent: only the provider has the key that signs.*"type": "track"/);
  assert.deepEqual((await api('stand-in')).messages, []);
  await innocent(opened);
});
