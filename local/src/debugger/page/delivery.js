// One destination: the attempts, the request, its signature.
import { h } from './dom.js';
import { latency, next, time } from './clock.js';
import { copyButton } from './copy.js';
import { requestCurl } from './curl.js';
import { pretty } from './json.js';
import { chip, failureName } from './states.js';

/** The signature headers of a webhook. */
const SIGNATURES = {
  'x-signature': 'Segment: HMAC-SHA1 of the body with the shared secret, as hex.',
  'webhook-signature': 'Standard Webhooks: HMAC-SHA256 of id, time and body with the signing secret.',
  'webhook-id': 'Standard Webhooks: the same for each attempt.',
  'webhook-timestamp': 'Standard Webhooks: the time of this attempt, also signed.',
};

/** One destination. */
export function delivery({ destination, state, due, request, attempts }, constants) {
  return h('details.block', { open: true, 'data-keep': `to ${destination}` },
    h('summary', {}, h('b', {}, destination), ' ', chip(state), due && h('span.dim', { 'data-due': due }, next(due))),
    attempts.length > 0 && table(attempts),
    request ? sent(destination, request, constants) : h('p.dim', {}, 'Nothing sent yet.'));
}

function table(attempts) {
  const heads = ['#', 'At', 'Status', 'Latency', 'Error'].map((name) => h('th', { scope: 'col' }, name));
  const rows = attempts.map(({ at, milliseconds, status, failure, reason }, index) => h('tr', {},
    h('td', {}, index + 1),
    h('td', {}, time(at)),
    h('td', {}, h('b', { 'data-state': status >= 200 && status < 300 ? 'delivered' : 'dead-letter' }, status ?? '–')),
    h('td', {}, milliseconds === null ? '–' : latency(milliseconds)),
    h('td', { title: reason ?? '' }, reason ?? (failure ? failureName(failure) : ''))));
  return h('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'Attempts' },
    h('table', {}, h('thead', {}, h('tr', {}, heads)), h('tbody', {}, rows)));
}

function sent(destination, request, constants) {
  const headers = request.headers.map(([name, value]) => {
    const proof = SIGNATURES[name.toLowerCase()];
    return h('div', { class: proof ? 'signature' : null }, h('dt', {}, name), h('dd', {}, h('code', {}, value), proof && h('small', {}, proof)));
  });
  return h('div', {},
    h('p.answer', {}, h('code', {}, `${request.method} ${request.url}`)),
    h('dl.headers', {}, headers),
    pretty(request.body, `request to ${destination}`),
    copyButton('Copy as curl', () => requestCurl(request, constants), { 'data-copy': 'request' }));
}
