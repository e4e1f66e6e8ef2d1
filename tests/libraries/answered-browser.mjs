// Shows the reaction of @segment/analytics-next to an answer. For each CASE, a separate client gets one
// message, and its requests go to BASE_URL/CASE. All clients are in one page in Chromium. The server counts
// the requests.
//
//   node answered-browser.mjs standard|batching BASE_URL CASE...
import { setTimeout } from 'node:timers/promises';
import { launch } from './chromium.mjs';
import * as shop from './shop.mjs';

/** The library sends again within two seconds, or when Retry-After says so. When it was quiet for longer, nothing more comes. */
const QUIET = 3_500;
const STRATEGIES = { standard: undefined, batching: { strategy: 'batching', config: { size: 1 } } };

const [strategy, base, ...cases] = process.argv.slice(2);
if (!(strategy in STRATEGIES) || !cases.length) {
  console.error('usage: node answered-browser.mjs standard|batching BASE_URL CASE...');
  process.exit(2);
}

async function use(clients, options) {
  const send = async ([name, settings]) => {
    const analytics = window.AnalyticsNext.AnalyticsBrowser.load(settings, options);
    await analytics.track(name);
  };
  await Promise.all(clients.map(send));
}

const site = await shop.open();
const browser = await launch();
try {
  const page = await browser.newPage();
  let last;
  page.on('request', () => { last = Date.now(); });
  await page.goto(`http://${site.host}/shop`);
  const clients = cases.map((name) => [name, shop.settings(name, `${new URL(base).host}/${name}`)]);
  await page.evaluate(use, clients, { integrations: { 'Segment.io': { deliveryStrategy: STRATEGIES[strategy] } } });
  while (Date.now() - last < QUIET) await setTimeout(100);
} finally {
  await browser.close();
  site.server.close().closeAllConnections();
}
