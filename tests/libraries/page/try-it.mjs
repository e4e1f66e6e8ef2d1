// Try it: a sample is edited and sent. Its result and its progress appear at once, and in the list above.
import assert from 'node:assert/strict';
import { click, counted, innocent, open, rows, scenario, text, until } from './harness.mjs';

/** Replaces the whole body as a person would. */
async function write(page, body) {
  await page.$eval('#try-body', (field, value) => {
    field.focus();
    field.select();
    document.execCommand('insertText', false, value);
  }, body);
}
const result = (page, pattern) => until(page, (source) => new RegExp(source, 's').test(document.getElementById('try-result').innerText), pattern.source);
const choose = async (page, name) => {
  const value = await page.$$eval('#sample option', (options, wanted) => options.find((option) => option.textContent === wanted)?.value, name);
  assert.ok(value, `there is no sample ${name}`);
  await page.select('#sample', value);
};

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  await click(page, '[data-tool=try]');
  await until(page, () => document.querySelectorAll('#sample optgroup').length >= 5);
  const groups = await page.$$eval('#sample optgroup', (all) => all.map(({ label }) => label));
  for (const group of ['FusionAuth', 'Auth0', 'Clerk', 'Okta', 'Segment library']) assert.ok(groups.includes(group), String(groups));

  const body = await page.$eval('#try-body', ({ value }) => value);
  await write(page, body.replaceAll('b1d0c6f4-2f0e-4a7b-9f6d-5f1a2b3c4d5e', 'edited-user'));
  await click(page, '#send');
  await result(page, /Segue answered 200 \{"accepted":1\}.*delivered.*track · user\.login\.success.*stand-in/);
  await counted(page, 1);
  const [first] = await rows(page);
  assert.deepEqual([first.user, first.event], ['edited-user', 'user.login.success']);
  const above = await page.evaluate(() => document.getElementById('rows').getBoundingClientRect().top < document.getElementById('panel').getBoundingClientRect().top);
  assert.ok(above, 'the result appears above');

  // Unchanged, it is the same message, and the page says so. Sent as new, it is another one.
  await click(page, '#send');
  await result(page, /×2.*The same id is the same message/);
  await counted(page, 1);
  await click(page, '#fresh');
  await counted(page, 2);
  await result(page, /delivered.*track · user\.login\.success/);
  await click(page, '#restore');
  assert.equal(await page.$eval('#try-body', ({ value }) => value), body);

  // Each provider's sample is accepted.
  for (const name of ['Clerk: user.created', 'Clerk: session.created', 'Okta: login-and-failure', 'Auth0: array', 'Auth0: lines', 'Auth0: action', 'Segment library: track']) {
    await choose(page, name);
    await click(page, '#fresh:not(:disabled), #send');
    await until(page, () => !document.getElementById('send').disabled);
    await result(page, /Segue answered 200/);
  }

  // The page reports a syntax error while it is typed, and the refusal after sending.
  await choose(page, 'FusionAuth: user.login.success');
  await write(page, '{"event":');
  assert.match(await text(page, '#try-problem'), /^Not JSON/);
  await page.keyboard.down('Control');
  await page.keyboard.press('Enter');
  await page.keyboard.up('Control');
  await result(page, /Segue answered 400.*rejected/);

  // The result leads to the message.
  await click(page, '.results .linklike');
  await until(page, () => document.getElementById('tool-details').innerText.includes('answered 400'));
  await innocent(opened);
});
