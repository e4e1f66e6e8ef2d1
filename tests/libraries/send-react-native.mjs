// Proves that Segue accepts every call of @segment/analytics-react-native, with ids as its users pass them.
//
//   node send-react-native.mjs BASE_URL WRITE_KEY 2.22|2.24 [bad]
//
// bad: two of its messages lack the name of their event. The first is sent with the others, the second alone.
// The app flushes four times more often than it has to.
import { setTimeout } from 'node:timers/promises';
import { connect, versions } from './react-native/client.mjs';

const [baseUrl, writeKey, version, bad] = process.argv.slice(2);
if (!versions.includes(version)) {
  console.error('usage: node send-react-native.mjs BASE_URL WRITE_KEY 2.22|2.24 [bad]');
  process.exit(2);
}

const { client, errors } = await connect(version, writeKey, `${baseUrl}/v1/b`);
await client.track('Application Opened', { from_background: false });
await client.identify(undefined, { plan: 'free', tags: [] });
await client.identify(42, { name: 'Zoë 🎿', address: { city: 'Köln' } });
await client.track('Order Completed', { total: 0.1, small: 1e-7, products: [{ id: 'a.b' }], nothing: null });
await client.screen('Home', { tab: 1 });
await client.group(12, { employees: 3 });
await client.alias('user-2');
if (bad) {
  await client.track('', { why: 'it has no name' });
  await client.flush();
  await client.track('', { why: 'nor has this one' });
}

for (let flush = 0; flush < 4; flush++) {
  await client.flush();
  if (!bad && !(await client.pendingEvents())) break;
  // 2.24 waits at least half a second before it retries.
  await setTimeout(700);
}
const left = await client.pendingEvents();
if (left && !bad) {
  console.error(`send-react-native.mjs: ${left} messages are left; ${errors.join('; ')}`);
  process.exit(1);
}
console.log(JSON.stringify({ left, errors }));
process.exit(0);
