// Verifies signatures with the real npm package standardwebhooks. Reads {"secret", "headers", "body"} on each
// line, where "body" is the text as received, and prints `valid` or `invalid: reason` for each.
//
//   node verify-standard-webhooks.mjs < LINES
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

for (const line of (await text(process.stdin)).split('\n').filter(Boolean)) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    new Webhook(secret).verify(body, headers, { jsonParse: false });
    console.log('valid');
  } catch (error) {
    console.log(`invalid: ${error.message}`);
  }
}
