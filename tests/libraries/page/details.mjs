// One message: its request, the message, its deliveries with each attempt and the webhook's signature; or the reason for
// having none. Its curl command repeats it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { api, call, click, fusionAuth, further, innocent, open, post, scenario, text, until } from './harness.mjs';

const [secret, sample] = further;

/** Opens the message with that event or state, and waits until its details contain these words. */
async function look(page, wanted, words) {
  const find = (name) => [...document.querySelectorAll('#rows .row:not([hidden])')]
    .find((row) => row.querySelector('.event').textContent === name || row.dataset.state === name)?.id;
  await until(page, find, wanted);
  const id = await page.evaluate(find, wanted);
  await click(page, `#${id} .time`);
  await until(page, (wanted) => wanted.every((word) => document.getElementById('tool-details').innerText.includes(word)), words);
  return Promise.all([1, 2, 3].map((column) => text(page, `.three > section:nth-child(${column})`)));
}

/** Presses "Copy as curl" and runs the copied command. */
async function again(page, selector) {
  await click(page, selector);
  await until(page, () => document.querySelector('.copy.done'));
  const command = await page.evaluate(() => navigator.clipboard.readText());
  return { command, answer: execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }) };
}

await scenario(async (browser) => {
  const opened = await open(browser, { width: 1600, height: 1000 });
  const { page } = opened;

  // An identity event.
  const login = await readFile(sample, 'utf8');
  assert.equal((await post('/identity/fusionauth', login)).status, 200);
  let [came, made, went] = await look(page, 'user.login.success', ['fusionauth.toml:', 'x-signature', 'answered 200']);
  assert.match(came, /^Received .*POST \/identity\/fusionauth .* answered 200 \{"accepted":1\}/);
  assert.match(came, /"applicationId": "3f6b8a52/);
  assert.doesNotMatch(came, /sample-code-1|ya29\.sample-token|sk_sample_not_for_segment/, 'credentials are removed');
  assert.match(made, /Rule providers\/fusionauth\.toml:\d+:\d+/);
  assert.match(made, /"type": "track".*"event": "user\.login\.success"/);
  assert.match(went, /stand-in delivered .* 1 \d\d:\d\d:\d\d\.\d{3} 200 \d+ ms/);
  assert.match(went, /POST http:\/\/127\.0\.0\.1:\d+\/stand-in\/v1\/b/);
  assert.doesNotMatch(went, /Basic /, 'no write key');

  // The signature is the one that the receiver computes for the body.
  const { id } = await page.$eval('#rows .row.open', (row) => ({ id: row.id.slice(1) }));
  const { deliveries } = await api(`messages/${id}`);
  const webhook = deliveries.find(({ destination }) => destination !== 'stand-in');
  const signature = createHmac('sha1', secret).update(webhook.request.body).digest('hex');
  assert.match(went, new RegExp(`x-signature ${signature} Segment: HMAC-SHA1`));

  // Its command sends the same message again.
  const { command, answer } = await again(page, '[data-copy=arrival]');
  assert.match(command, /^curl -X POST 'http:\/\/127\.0\.0\.1:\d+\/identity\/fusionauth'/);
  assert.equal(answer, '{"accepted":1}');
  await until(page, () => document.getElementById('tool-details').innerText.includes('Received 2 times'));
  await until(page, () => document.querySelector('#rows .row.open .times').textContent === '×2');

  // A library's call with a quote that a shell would misread.
  await call({ event: "It's here", messageId: 'details-1', properties: { price: 27.50 } });
  [came, made, went] = await look(page, "It's here", ['members that Segment sets', 'answered 200']);
  assert.match(came, /POST \/v1\/track/);
  assert.match(made, /messageId details-1/);
  const library = await again(page, '[data-copy=arrival]');
  assert.equal(library.answer, '{"success":true}');
  await until(page, () => document.querySelector('#rows .row.open .times').textContent === '×2');
  await until(page, () => document.querySelector('[data-copy=request]'));
  const outgoing = await again(page, '[data-copy=request]');
  assert.match(outgoing.command, /stand-in\/v1\/b/);
  assert.match(outgoing.answer, /"success":true/);

  // A retried message counts its attempts and shows the time of the next one.
  await call({ event: 'Away', messageId: 'details-2', properties: { webhook: 503 } });
  [, , went] = await look(page, 'Away', ['next in', '503']);
  assert.match(went, /# At Status Latency Error 1 \d\d:\d\d:\d\d\.\d{3} 503 \d+ ms .*503/);
  assert.match(await text(page, '.summary'), /attempt \d+ failed, (next in \d+ s|due now)/);

  // Dropped, ignored and refused messages each show the reason.
  await fusionAuth('details-3', { type: 'user.password.breach' });
  [came, made, went] = await look(page, 'ignored', ['makes no message', 'user.password.breach']);
  assert.match(made, /No message\./);
  assert.match(went, /Nothing\./);
  await post('/identity/fusionauth', '{"event":');
  [came] = await look(page, 'rejected', ['answered 400']);
  assert.match(came, /answered 400 \{"error":"malformed"/);
  assert.match(await text(page, '.summary .note'), /Refused\. .*The body cannot be read/);
  await call({ event: 'Too deep', messageId: 'details-4', properties: { webhook: 400 } });
  await look(page, 'Too deep', ['dead letter', 'refused it permanently']);
  assert.match(await text(page, '.summary .note'), /Redrive or purge it.*400/);

  await innocent(opened);
});
