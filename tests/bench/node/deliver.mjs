// The baseline: a script as you would write it yourself, with only Node.js. It takes Segment's batches,
// answers at once, keeps the messages in memory, and posts each one to every webhook as Segment does: signed
// with HMAC-SHA1, within 5 s, over connections that stay open, ten to a webhook. A failed message is lost.
import { createHmac } from 'node:crypto';
import http from 'node:http';

const { WEBHOOKS, SECRET, PORT } = process.env;
const CONCURRENCY = 10;

const lanes = WEBHOOKS.split(' ').map((url) => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const waiting = { list: [], next: 0 };
  let underWay = 0;

  const post = ({ body, signature }) => {
    underWay += 1;
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': 'Segment.io/1.0',
      'X-Signature': signature,
    };
    const done = () => {
      underWay -= 1;
      start();
    };
    const request = http.request(url, { method: 'POST', agent, headers, timeout: 5000 }, (response) => {
      response.resume();
      response.on('end', done);
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', done);
    request.end(body);
  };

  const start = () => {
    while (underWay < CONCURRENCY && waiting.next < waiting.list.length) {
      post(waiting.list[waiting.next]);
      waiting.next += 1;
    }
    if (waiting.next === waiting.list.length) {
      waiting.list = [];
      waiting.next = 0;
    }
  };

  return (payloads) => {
    for (const payload of payloads) waiting.list.push(payload);
    start();
  };
});

http
  .createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const payloads = JSON.parse(Buffer.concat(chunks)).batch.map((message) => {
        const body = JSON.stringify(message);
        return { body, signature: createHmac('sha1', SECRET).update(body).digest('hex') };
      });
      for (const deliver of lanes) deliver(payloads);
      response.setHeader('Content-Type', 'application/json');
      response.end('{"success":true}');
    });
  })
  .listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
