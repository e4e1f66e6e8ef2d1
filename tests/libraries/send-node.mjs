// Proves that Segue accepts every call of the real @segment/analytics-node, with values that careless code
// damages. Prints the messages as they were on the wire and the status of each request, as JSON. On a
// terminal, prints a summary.
//
//   node send-node.mjs BASE_URL WRITE_KEY
import { Analytics } from '@segment/analytics-node';

const [host, writeKey] = process.argv.slice(2);
if (!writeKey) {
  console.error('usage: node send-node.mjs BASE_URL WRITE_KEY');
  process.exit(2);
}

const statuses = [];
const messages = [];
const problems = [];
let calls = 0;

/** Sends as the library's own client does, and writes down what Segue took. */
const httpClient = {
  async makeRequest({ url, method, headers, body, httpRequestTimeout }) {
    const signal = AbortSignal.timeout(httpRequestTimeout);
    const response = await fetch(url, { method, headers, body, signal }).catch((error) => {
      statuses.push(error.cause?.code ?? error.message);
      throw error;
    });
    statuses.push(response.status);
    if (response.ok) messages.push(...JSON.parse(body).batch);
    return response;
  },
};

const analytics = new Analytics({ writeKey, host, flushAt: 4, httpClient });
analytics.on('error', ({ code, reason }) => problems.push(`${code}: ${reason?.message ?? reason}`));
const send = (call, message) => {
  calls += 1;
  analytics[call](message, (problem) => problem && problems.push(`${call}: ${problem}`));
};

const text = {
  empty: '', greek: 'Ζωή', emoji: '👩🏽‍🚀', cut: 'half an emoji \ud83d', cutToo: '\ude00 the other half',
  combined: 'e\u0301', separators: 'a\u2028b\u2029c',
  control: '\u0000\u0001\t\r\n\u007f', quotes: '"\\"/</script>', bom: '\ufeff',
};
const numbers = {
  negativeZero: -0, tenth: 0.1, sum: 0.1 + 0.2, small: 1e-7, large: 1e21, almostLarge: 123456789012345680000,
  odd: 9007199254740993, safe: Number.MAX_SAFE_INTEGER, least: 5e-324,
  most: Number.MAX_VALUE, nan: NaN, infinite: -Infinity,
};
const keys = {
  b: 1, 10: 'ten', 9: 'nine', '01': 'text', a: 2, '': 'empty', 'a.b': 'dot', '$set': 1, '"\\': 'quoted', 'ключ 🔑': 1,
};
const prototype = JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":null}');
const nested = {
  list: [1, [2, [3, [], {}]], [null, true, false]], nothing: null, missing: undefined, at: new Date(86_400_000),
};
const deep = JSON.parse('{"d":['.repeat(40) + 'null' + ']}'.repeat(40));

send('identify', { userId: 'user-1', traits: { email: 'zoe@example.org', ...text, ...nested } });
send('identify', { anonymousId: 'anonymous-1', userId: '', traits: prototype });
send('track', { userId: 'user-1', event: 'Text', properties: text });
send('track', { userId: 'user-1', event: 'Numbers 🔢', properties: numbers });
send('track', { userId: 'user-1', event: 'Keys', properties: keys });
send('track', { userId: 'user-1', anonymousId: 'anonymous-1', event: 'Nested', properties: { nested, deep, prototype } });
send('track', { userId: 'user-1', event: 'Long', properties: { text: 'long'.repeat(5 * 1024) } });
send('track', {
  userId: 'user-1', event: 'All fields', messageId: 'my-own-message-id',
  timestamp: new Date('2024-02-29T23:59:59.999Z'),
  context: { ip: '203.0.113.7', locale: 'de-DE', page: { url: 'https://example.org/?a=1&b=ü' }, traits: {}, active: false },
  integrations: { All: false, Webhooks: true, Mixpanel: { token: 'x' } }, properties: {},
});
send('track', { userId: 'user-1', event: 'A text as the time', timestamp: '2024-02-29T23:59:59+02:00' });
send('page', { userId: 'user-1', category: 'Docs', name: 'Index', properties: { url: 'https://example.org/', title: '' } });
send('screen', { anonymousId: 'anonymous-1', name: 'Main', properties: keys });
send('group', { userId: 'user-1', groupId: 12, traits: { name: 'Ünïcode & Söhne', employees: 3, nested } });
send('alias', { userId: 'user-1', previousId: 13 });

await analytics.closeAndFlush({ timeout: 30_000 });
if (messages.length !== calls) problems.push(`${calls} messages were handed over, ${messages.length} were taken`);
if (problems.length) {
  console.error(`send-node.mjs: ${problems.join('; ')}; statuses: ${statuses.join(', ')}`);
  process.exit(1);
}
const summary = `${messages.length} messages sent; ${statuses.length} requests answered ${[...new Set(statuses)].join(', ')}`;
console.log(process.stdout.isTTY ? summary : JSON.stringify({ messages, statuses }));
