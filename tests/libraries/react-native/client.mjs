// A client of @segment/analytics-react-native in Node. Its React Native modules are stubs (core/), its store
// is empty memory, and Segment's settings come from this file.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const VERSIONS = {
  2.22: '@segment/analytics-react-native-2.22',
  2.24: '@segment/analytics-react-native',
};
export const versions = Object.keys(VERSIONS);

const settings = createServer((_, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ integrations: { 'Segment.io': {} } }));
}).listen(0, '127.0.0.1');
await once(settings, 'listening');
settings.unref();

/** A client that sends to `url` and only when it is flushed. */
export async function connect(version, writeKey, url) {
  const { createClient, ErrorType } = require(VERSIONS[version]);
  const errors = [];
  const client = createClient({
    writeKey, proxy: url, cdnProxy: `http://127.0.0.1:${settings.address().port}/settings`, allowInsecureProxy: true,
    flushPolicies: [], trackAppLifecycleEvents: false, debug: false,
    storePersistor: { get: async () => undefined, set: async () => {} },
    errorHandler: (error) => errors.push(`${ErrorType[error.type]}: ${error.message}`),
  });
  if (!client.isReady.value) await new Promise((resolve) => client.isReady.onChange((ready) => ready && resolve()));
  return { client, errors };
}
