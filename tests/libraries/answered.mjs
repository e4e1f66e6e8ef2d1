// Shows the reaction of a library to an answer. For each CASE, a separate client gets one message, and its
// requests go to BASE_URL/CASE. The server counts the requests.
//
//   node answered.mjs LIBRARY BASE_URL CASE...
//
// LIBRARY: node, node-6, react-native-2.22 or react-native-2.24. A library with a long default wait gets a
// shorter one.
import { setTimeout } from 'node:timers/promises';
import { Analytics } from '@segment/analytics-node';
import Node6 from 'analytics-node';
import { connect } from './react-native/client.mjs';

/** Longer than an answer takes on a busy machine. */
const TIME_OUT = 1_500;

async function node(base, name) {
  const analytics = new Analytics({
    writeKey: name, host: base, path: `/${name}/v1/batch`, maxRetries: 2, flushAt: 1, httpRequestTimeout: TIME_OUT,
  });
  analytics.on('error', () => {});
  analytics.track({ userId: 'user-1', event: name, messageId: name });
  await analytics.closeAndFlush({ timeout: 10_000 });
}

function node6(base, name) {
  const analytics = new Node6(name, { host: base, path: `/${name}/v1/batch`, timeout: TIME_OUT, errorHandler() {} });
  return new Promise((resolve) => analytics.track({ userId: 'user-1', event: name, messageId: name }, resolve));
}

const reactNative = (version, flushes, wait) => async (base, name) => {
  const { client } = await connect(version, name, `${base}/${name}/v1/b`);
  await client.track(name);
  for (let flush = 1; flush < flushes; flush++) {
    await client.flush();
    await setTimeout(wait);
  }
  await client.flush();
};

const LIBRARIES = {
  node, 'node-6': node6,
  'react-native-2.22': reactNative('2.22', 4, 50),
  // By then it has retried: after half a second, or when Retry-After says so.
  'react-native-2.24': reactNative('2.24', 3, 1_200),
};

const [library, base, ...cases] = process.argv.slice(2);
if (!(library in LIBRARIES) || !cases.length) {
  console.error(`usage: node answered.mjs ${Object.keys(LIBRARIES).join('|')} BASE_URL CASE...`);
  process.exit(2);
}
await Promise.all(cases.map((name) => LIBRARIES[library](base, name)));
process.exit(0);
