// A receiver of webhooks, as in Segment's documentation: the code that checks x-signature is the
// documentation's own. It also checks Standard Webhooks signatures, with that project's own library.
//
//   SHARED_SECRET=… SIGNING_SECRET='whsec_… whsec_…' node receiver.mjs [PORT]
//
// Prints a JSON line for each webhook. With HUMAN=1, and on a terminal, prints text for people. Answers 401
// to a wrong signature. A signature without a configured secret is `unchecked`.
import crypto from 'node:crypto';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';

process.noDeprecation = true; // the documentation says new Buffer
const settings = { sharedSecret: process.env.SHARED_SECRET };
const signingSecrets = (process.env.SIGNING_SECRET ?? '').split(/[\s,]+/).filter(Boolean);
// Only needed with a signing secret.
const { Webhook } = signingSecrets.length ? await import('standardwebhooks') : {};
const human = process.env.HUMAN ? process.env.HUMAN !== '0' : process.stdout.isTTY;

function digestOf(req) {
  if (Array.isArray(req.body)) {
    return crypto
      .createHmac('sha1', settings.sharedSecret)
      .update(JSON.stringify(req.body[0]), 'utf-8')
      .digest('hex');
  }
  return crypto
    .createHmac('sha1', settings.sharedSecret)
    .update(new Buffer(JSON.stringify(req.body), 'utf-8'))
    .digest('hex');
}

function signature(req) {
  if (!req.headers['x-signature']) return 'absent';
  if (!settings.sharedSecret) return 'unchecked';
  if (Array.isArray(req.body) && !req.body.length) return 'invalid';
  return req.headers['x-signature'] === digestOf(req) ? 'valid' : 'invalid';
}

function standardWebhooks(req) {
  if (!req.headers['webhook-signature']) return 'absent';
  if (!signingSecrets.length) return 'unchecked';
  const verifies = (secret) => {
    try {
      new Webhook(secret).verify(req.raw, req.headers, { jsonParse: false });
      return true;
    } catch {
      return false;
    }
  };
  return signingSecrets.some(verifies) ? 'valid' : 'invalid';
}

function tell({ body, raw, headers, url, ...checks }) {
  if (!human) return console.log(JSON.stringify({ body, raw, headers, path: url, ...checks }));
  const messages = Array.isArray(body) ? body : [body];
  const names = messages.map((message) => [message?.type, message?.event ?? message?.name].filter(Boolean).join(' '));
  console.log(`\n${new Date().toLocaleTimeString()}  ${url}  ${names.join(', ')}`);
  console.log(`x-signature: ${checks.signature}   webhook-signature: ${checks.standardWebhooks}`);
  console.log(JSON.stringify(body, null, 2));
}

const server = createServer(async (req, res) => {
  if (req.method !== 'POST') return res.writeHead(405).end('POST only\n');
  req.raw = (await buffer(req)).toString();
  try {
    req.body = JSON.parse(req.raw);
  } catch (error) {
    console.error(`receiver.mjs: not JSON: ${error.message}`);
    return res.writeHead(400).end('not JSON\n');
  }
  const checks = { signature: signature(req), standardWebhooks: standardWebhooks(req) };
  const fixedPoint = req.raw === JSON.stringify(req.body);
  tell({ body: req.body, raw: req.raw, headers: req.headers, url: req.url, ...checks, fixedPoint });
  const forged = Object.values(checks).includes('invalid');
  res.writeHead(forged ? 401 : 200).end(forged ? 'the signature does not match\n' : 'ok');
});

server.on('error', (error) => {
  console.error(`receiver.mjs: ${error.message}`);
  process.exit(1);
});
server.listen(Number(process.argv[2] ?? process.env.PORT ?? 0), '127.0.0.1', () => {
  const { port } = server.address();
  console.log(human ? `Webhooks go to http://127.0.0.1:${port}/` : JSON.stringify({ listening: port }));
});
