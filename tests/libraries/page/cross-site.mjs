// A page of another site in a real browser: its unsigned messages do not arrive, by any request without a CORS preflight.
// Its calls of Segment arrive, since they have the write key.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { api, base, scenario } from './harness.mjs';

const site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>'));
site.listen(0, '127.0.0.1');
await once(site, 'listening');

await scenario(async (browser) => {
  for (const host of ['localhost', '127.0.0.1']) {
    const page = await browser.newPage();
    await page.goto(`http://${host}:${site.address().port}/`);
    await page.evaluate(async (base) => {
      const login = (id) => JSON.stringify({ event: { id, type: 'user.login.success', user: { id: 'forged' } } });
      const track = JSON.stringify({ userId: 'forged', event: 'Forged', writeKey: 'local' });
      for (const [path, body] of [['/identity/fusionauth', login('1')], ['/stand-in/v1/track', track], ['/debugger/api/purge', '{}']]) {
        await fetch(base + path, { method: 'POST', mode: 'no-cors', body }).catch(() => {});
        await fetch(base + path, { method: 'POST', mode: 'no-cors', body: new Blob([body]) }).catch(() => {});
        navigator.sendBeacon(base + path, body);
        const form = document.createElement('form');
        Object.assign(form, { method: 'post', enctype: 'text/plain', action: base + path, target: 'frame' });
        const frame = Object.assign(document.createElement('iframe'), { name: 'frame' });
        const input = Object.assign(document.createElement('input'), { name: body.slice(0, -1), value: '}' });
        form.append(input);
        document.body.append(frame, form);
        const loaded = new Promise((done) => (frame.onload = done));
        form.submit();
        await loaded;
        frame.remove();
        form.remove();
      }
      const call = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: track.replaceAll('orged', 'air') };
      const answer = await fetch(`${base}/v1/track`, call);
      if (!answer.ok) throw new Error(`the tracking API answered ${answer.status}`);
    }, base);
    await page.close();
  }
  let messages;
  do ({ messages } = await api('stand-in')); while (messages.length < 2);
  assert.deepEqual(messages.map(({ message }) => message.userId), ['fair', 'fair']);
});
site.close();
