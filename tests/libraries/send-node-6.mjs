// Proves that Segue accepts every call of the older analytics-node 6, with ids as its users pass them.
//
//   node send-node-6.mjs BASE_URL WRITE_KEY
import Analytics from 'analytics-node';

const [host, writeKey] = process.argv.slice(2);
if (!writeKey) {
  console.error('usage: node send-node-6.mjs BASE_URL WRITE_KEY');
  process.exit(2);
}

const failures = [];
const analytics = new Analytics(writeKey, { host, flushAt: 3, flushInterval: 50, errorHandler: (error) => failures.push(error.message) });
const sent = [];
const send = (call, message) => sent.push(new Promise((resolve) => analytics[call](message, resolve)));

send('identify', { userId: 42, traits: { name: 'Zoë 🎿', age: 0.1, createdAt: new Date(86_400_000) } });
send('identify', { anonymousId: 7, userId: '', traits: { plan: null, tags: [] } });
send('track', { userId: 'user-1', event: 'Order Completed', properties: { total: 1e-7, items: [{ id: 'a.b' }] } });
send('track', {
  userId: 'user-1', event: 'All fields', messageId: 'node-6-own-id', timestamp: new Date('2024-02-29T23:59:59.999Z'),
  context: { ip: '203.0.113.7', locale: 'de-DE' }, integrations: { All: false, Webhooks: true, Mixpanel: true },
});
send('page', { userId: 'user-1', category: 'Docs', name: 'Index', properties: { url: 'https://example.org/?a=1&b=ü' } });
send('screen', { anonymousId: 'anonymous-1', name: 'Main' });
send('group', { userId: 'user-1', groupId: 12, traits: { employees: 3 } });
send('alias', { userId: 'user-2', previousId: 13 });

await Promise.all(sent);
if (failures.length) {
  console.error(`send-node-6.mjs: ${failures.join('; ')}`);
  process.exit(1);
}
