// The common parts of the page's scenarios: a browser on the page of a running `segue serve`, and the checks at the end
// of each scenario. Run one as `node NAME.mjs PAGE_URL [FURTHER…]`. The URL contains the page's token, if it has one.
import assert from 'node:assert/strict';
import { launch } from '../chromium.mjs';

/** Longer than anything takes on a busy machine. */
const DEADLINE = 60_000;

const [link, ...others] = process.argv.slice(2);
export const base = new URL(link).origin;
export const further = others;
export const token = new URL(link).searchParams.get('token');
export const proof = token ? { authorization: `Bearer ${token}` } : {};

/** Posts JSON to Segue. */
export async function post(path, body, headers = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(base + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text });
  return { status: answer.status, body: await answer.json() };
}

/** Posts a call of a library. */
export const call = (message, path = '/v1/track') =>
  post(path, { writeKey: 'local', userId: 'ada', event: 'Signed Up', ...message });

/** Posts a webhook of FusionAuth, by default a login. */
export const fusionAuth = (id, event = {}) =>
  post('/identity/fusionauth', { event: { id, type: 'user.login.success', user: { id: 'ada' }, ...event } });

/** Calls the page's JSON API. */
export async function api(path, method = 'GET', body = undefined) {
  const headers = { ...proof, ...(body ? { 'content-type': 'application/json' } : {}) };
  const answer = await fetch(`${base}/debugger/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
}

/** Waits for a condition in the page. The error names a condition that did not come. */
export async function until(page, condition, ...parameters) {
  try {
    await page.waitForFunction(condition, { timeout: DEADLINE, polling: 50 }, ...parameters);
  } catch (error) {
    const seen = await page.evaluate(() => document.body.innerText.slice(0, 3000));
    throw new Error(`this did not come: ${condition} ${JSON.stringify(parameters)}; the page says: ${seen}`, { cause: error });
  }
}

/** The visible rows from the top, each with the texts of its cells. In one step, so that the page cannot draw in between. */
export const rows = (page) => page.evaluate(() => [...document.querySelectorAll('#rows .row:not([hidden])')]
  .map((row) => ({
    id: Number(row.id.slice(1)),
    top: row.getBoundingClientRect().top,
    ...Object.fromEntries(['time', 'state', 'source', 'type', 'event', 'user', 'where']
      .map((name) => [name, row.querySelector(`.${name}`).innerText.replaceAll(/\s+/g, ' ').trim()])),
  }))
  .sort((one, other) => one.top - other.top));

/** Waits until the list has drawn its rows, which it does in the next frame. */
export const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** Waits for so many rows in the list. */
export const counted = (page, count) => until(page, (wanted) => document.getElementById('grid').getAttribute('aria-rowcount') === String(wanted + 1), count);

/** Waits until the message of that event is in that state. */
export const inState = (page, event, state) => until(page, (name, wanted) =>
  [...document.querySelectorAll('#rows .row:not([hidden])')].some((row) =>
    row.querySelector('.event').textContent === name && row.querySelector('.state .chip').textContent === wanted), event, state);

/** Clicks with the mouse. Repeats the click if the page redrew the element. */
export const click = (page, selector) => persistently(async () => {
  await page.waitForSelector(selector, { visible: true, timeout: DEADLINE });
  await page.click(selector);
});

/** Acts on an element, and again if the page redrew it meanwhile. */
export async function persistently(act) {
  const deadline = Date.now() + DEADLINE;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!/not clickable|detached/.test(error.message) || Date.now() > deadline) throw error;
    }
  }
}

/** The text of an element. */
export const text = (page, selector) => page.$eval(selector, (element) => element.innerText.replaceAll(/\s+/g, ' ').trim());

/** Opens the page and records errors, requests and layout shifts. */
export async function open(browser, { path = '/', width = 1280, height = 800, scheme = 'light', watch = true } = {}) {
  const page = await browser.newPage();
  const wrong = [];
  const requests = [];
  if (watch) {
    page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
    page.on('console', (message) => ['error', 'warn'].includes(message.type()) && wrong.push(`console: ${message.text()}`));
    page.on('dialog', (dialog) => wrong.push(`dialog: ${dialog.message()}`));
  }
  page.on('request', (request) => requests.push(request.url()));
  await page.evaluateOnNewDocument(() => {
    window.seen = { shifts: [], violations: [], longest: 0 };
    document.addEventListener('securitypolicyviolation', (event) => window.seen.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
      // Chromium also reports removed elements, at their old place.
      const moved = entry.sources.filter(({ previousRect, currentRect }) => previousRect.x !== currentRect.x || previousRect.y !== currentRect.y);
      const places = moved.map(({ node, previousRect, currentRect }) =>
        `${node?.id || node?.className || node?.nodeName} from ${previousRect.x},${previousRect.y} to ${currentRect.x},${currentRect.y}`);
      if (moved.length && !entry.hadRecentInput) window.seen.shifts.push(places.join('; '));
    })).observe({ type: 'layout-shift', buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
      window.seen.longest = Math.max(window.seen.longest, entry.duration);
    })).observe({ type: 'longtask', buffered: true });
  });
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(base + path, { waitUntil: 'load' });
  await until(page, () => document.body.dataset.view !== 'loading');
  return { page, wrong, requests };
}

/**
 * Checks the end of each scenario: no errors, no blocked loads, no requests to others, no layout shifts. Shifts after a
 * real click do not count. A script's click is not a real one, so `jumps` can be allowed.
 */
export async function innocent({ page, wrong, requests }, { jumps = false } = {}) {
  const seen = await page.evaluate(() => window.seen);
  assert.deepEqual(wrong, []);
  assert.deepEqual(seen.violations, []);
  if (!jumps) assert.deepEqual(seen.shifts, [], 'layout shifts');
  assert.deepEqual(requests.filter((url) => new URL(url).origin !== base), [], 'requests to others');
}

/** Runs a scenario in an own browser. */
export async function scenario(play) {
  const browser = await launch();
  try {
    if (token) {
      // The link sets the cookie, for every page of this browser.
      const page = await browser.newPage();
      await page.goto(link, { waitUntil: 'load' });
      await page.close();
    }
    await browser.defaultBrowserContext().overridePermissions(base, ['clipboard-read', 'clipboard-write', 'clipboard-sanitized-write']);
    await play(browser);
  } catch (error) {
    console.error(error.stack, error.cause ?? '');
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}
