// Proves that a web page of another origin reaches Segue with the real @segment/analytics-next, in a real
// browser with its CORS rules on.
//
//   node browser.mjs BASE_URL WRITE_KEY [standard | batching | leaving | headers | consent]
//
// standard: each call is a request. batching: all calls are one request. headers: the same with the site's
// own headers. consent: each call carries the visitor's consent, from @segment/analytics-consent-tools.
// leaving: the page is left before the library has sent its batch, which is then sent at the page's end. No
// browser reports the result of that request, so a relay between the browser and Segue records the traffic.
// It changes nothing.
import { once } from 'node:events';
import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { launch } from './chromium.mjs';
import * as shop from './shop.mjs';

const CALLS = 7;
const DEADLINE = 60_000;
const STRATEGIES = {
  standard: undefined,
  batching: { strategy: 'batching', config: { size: CALLS } },
  leaving: { strategy: 'batching', config: { size: 2 * CALLS, timeout: 2 * DEADLINE } },
  headers: {
    strategy: 'batching', config: { size: CALLS, headers: { 'Content-Type': 'application/json', 'X-Shop': 'north' } },
  },
  consent: undefined,
};

const [baseUrl, writeKey, strategy = 'standard'] = process.argv.slice(2);
if (!writeKey || !(strategy in STRATEGIES)) {
  console.error('usage: node browser.mjs BASE_URL WRITE_KEY [standard | batching | leaving | headers | consent]');
  process.exit(2);
}

/** What the page does with the library. */
async function use(settings, options, consent) {
  const analytics = new window.AnalyticsNext.AnalyticsBrowser();
  if (consent) {
    const { createWrapper } = await import('/modules/@segment/analytics-consent-tools/dist/esm/index.js');
    createWrapper({
      shouldLoadSegment: (context) => context.load({ consentModel: 'opt-out' }),
      getCategories: () => ({ Advertising: false, Analytics: true }),
    })(analytics);
  }
  analytics.load(settings, options);
  await Promise.all([
    analytics.page('Shop', 'Home', { section: 'top' }),
    analytics.identify({ plan: 'free' }),
    analytics.identify(42, { name: 'Zoë 🎿', plan: { name: 'pro', seats: 3 } }),
    analytics.track('Order Completed', {
      total: 0.1, small: 1e-7, large: 1e21, negativeZero: -0, nothing: null, at: new Date(0), 10: 'ten', '01': 'text',
      cut: '\ud83d', separators: '\u2028\u2029', products: [[{ id: 'a.b' }], []],
    }),
    analytics.group(12, { employees: 5 }),
    analytics.alias('user-2', 'user-1'),
    analytics.screen('Phone', 'Main'),
  ]);
}

const site = await shop.open();
const seen = [];
const relay = await shop.serve(async (incoming, outgoing) => {
  const { method, url, headers } = incoming;
  const body = await buffer(incoming);
  const base = new URL(baseUrl);
  const onward = request(new URL(url, base), { method, headers: { ...headers, host: base.host } }, (answer) => {
    seen.push({ method, path: url, headers, status: answer.statusCode, body: body.length ? JSON.parse(body) : null });
    relay.server.emit('seen');
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on('error', (error) => {
    console.error(`browser.mjs: ${method} ${url}: ${error.message}`);
    outgoing.destroy();
  });
  onward.end(body);
});

/** Resolves when Segue has taken all the messages; rejects at once when the browser refuses to send them. */
async function taken(page) {
  const refused = new Promise((_, reject) => {
    page.on('requestfailed', (failed) => {
      const { host, pathname } = new URL(failed.url());
      if (host !== relay.host || strategy === 'leaving') return;
      reject(new Error(`${failed.method()} ${pathname}: ${failed.failure().errorText}`));
    });
  });
  const all = async () => {
    const messages = () => seen.filter(({ method, status }) => method === 'POST' && status < 300)
      .flatMap(({ body }) => body.batch ?? body);
    while (messages().length < CALLS) await once(relay.server, 'seen', { signal: AbortSignal.timeout(DEADLINE) });
  };
  await Promise.race([all(), refused]);
}

async function visit(page) {
  const all = taken(page);
  all.catch(() => {});
  await page.goto(`http://${site.host}/shop`);
  const options = { integrations: { 'Segment.io': { deliveryStrategy: STRATEGIES[strategy] } } };
  await page.evaluate(use, shop.settings(writeKey, relay.host), options, strategy === 'consent');
  if (strategy === 'leaving') await page.goto(`http://${site.host}/elsewhere`);
  await all;
}

let browser;
try {
  browser = await launch();
  await visit(await browser.newPage());
  const preflights = seen.filter(({ method }) => method === 'OPTIONS');
  const requests = seen.filter(({ method }) => method !== 'OPTIONS');
  console.log(JSON.stringify({
    requests: requests.map(({ method, path, headers, status, body }) =>
      ({ method, path, contentType: headers['content-type'], status, body })),
    preflights: preflights.map(({ path, headers, status }) =>
      ({ path, headers: headers['access-control-request-headers'], status })),
  }));
} catch (error) {
  const requests = seen.map(({ method, path, status }) => `${method} ${path} ${status}`);
  console.error(`browser.mjs: ${error.message}; seen: ${requests.join(', ') || 'nothing'}`);
  process.exitCode = 1;
} finally {
  await browser?.close();
  for (const { server } of [site, relay]) server.close().closeAllConnections();
}
