// One message: its requests, the message, its deliveries.
import { $, exchange, h, say } from './dom.js';
import { ask, setup } from './api.js';
import { eachSecond, next, time } from './clock.js';
import { copyButton } from './copy.js';
import { arrivalCurl } from './curl.js';
import { delivery } from './delivery.js';
import { pretty } from './json.js';
import { chip, stateName, STATES, tried } from './states.js';

const SOON = 150;

/** Shows messages of the store in the panel. */
export function createDetails(store, filter, hooks) {
  const root = $('tool-details');
  let id = null;
  let shown = '';
  let timer = 0;

  async function load() {
    const asked = id;
    try {
      const [message, constants] = await Promise.all([ask(`messages/${asked}`), setup().catch(() => null)]);
      if (asked === id) render(message, constants);
    } catch (error) {
      if (asked !== id) return;
      shown = '';
      const text = error.status === 404 ? 'This message is not kept any more. Segue keeps the newest 10,000.' : error.message;
      root.replaceChildren(h('p.note.warn', { role: 'alert' }, text));
      $('panel-actions').replaceChildren();
    }
  }

  function render(message, constants) {
    const text = JSON.stringify(message);
    if (text === shown) return;
    shown = text;
    const { row } = message;
    say('panel-title', row.event ?? row.kind ?? row.type ?? `${row.source}, ${stateName(row.state)}`);
    const actions = message.message === null ? [] : [copyButton('Copy message', () => message.message)];
    if (row.user) {
      actions.push(h('button', { onclick: () => filter.set({ user: row.user }), title: `Only messages of ${row.user}` }, 'Only this user'));
    }
    $('panel-actions').replaceChildren(...actions);
    exchange(root, summary(row), h('div.three', {}, received(message, constants), made(message), sent(message, constants)));
  }

  store.onChange((ids) => {
    if (id === null || (ids && !ids.has(id))) return;
    clearTimeout(timer);
    timer = setTimeout(load, SOON);
  });
  eachSecond(() => {
    for (const element of root.querySelectorAll('[data-due]')) say(element, next(element.dataset.due));
  });

  return {
    open(wanted) {
      if (id !== wanted) {
        id = wanted;
        shown = '';
        root.scrollTop = 0;
        load();
      }
    },
    hide() {
      id = null;
      root.replaceChildren();
      hooks.onHide();
    },
  };
}

/** The message's way in one line, and the reason for its state. */
function summary(row) {
  const steps = [chip('queued', `received ${time(row.at)}`, row.at)];
  for (const { name, state, attempts, due } of row.destinations) {
    const words = state === 'retrying' ? [`${name}: ${tried(attempts)}`, due && ', ', due && h('span', { 'data-due': due }, next(due))]
      : [`${name}: ${stateName(state)}`];
    steps.push(h('span.chip', { 'data-state': state, title: STATES[state] }, words));
  }
  if (!row.destinations.length) steps.push(chip(row.state));
  const why = row.reason ?? row.destinations.find(({ state, reason }) => reason && state !== 'delivered')?.reason;
  return h('div.summary', {}, h('p.steps', {}, steps),
    why && h('p.note', { 'data-state': row.state }, h('b', {}, `${STATES[row.state] ?? ''} `), why));
}

const column = (title, lead, ...children) => h('section', {}, h('h3', {}, title), h('p.dim', {}, lead), ...children);

function received({ row, arrivals }, constants) {
  const lead = arrivals.length ? 'As sent, without credentials.' : 'Requests from before the restart are not kept.';
  const blocks = arrivals.map((arrival, index) => h('details.block', { open: index === arrivals.length - 1, 'data-keep': `arrival ${index}` },
    h('summary', {}, h('code', {}, `${arrival.method} ${arrival.path}`), ' ', h('span.dim', {}, time(arrival.at))),
    h('p.answer', {}, h('b', { 'data-state': arrival.status < 300 ? 'delivered' : 'rejected' }, arrival.status ? `answered ${arrival.status}` : 'no answer yet'), ' ', h('code', {}, arrival.answer)),
    pretty(arrival.body, `arrival body ${index}`),
    // A body that cannot be stripped of credentials is replaced by a sentence.
    /^[[{]/.test(arrival.body) && copyButton('Copy as curl', () => arrivalCurl(arrival, constants), { 'data-copy': 'arrival' })));
  const repeats = row.times > 1 && row.messageId && h('p.note', {}, `Received ${row.times} times with the same messageId: it is one message.`);
  return column('Received', lead, repeats, blocks);
}

function made({ row, mapping, message, writeKey }) {
  const facts = [];
  const fact = (name, ...values) => facts.push(h('div', {}, h('dt', {}, name), h('dd', {}, values)));
  if (mapping) {
    fact('Rule', h('code', {}, mapping.rule ?? 'none'));
    if (mapping.hidden.length) fact('Hidden', mapping.hidden.map((name) => h('code', {}, name)));
    if (mapping.leftOut.length) fact('Left out', mapping.leftOut.map((name) => h('code', {}, name)));
  }
  if (row.messageId) fact('messageId', h('code', {}, row.messageId));
  if (writeKey) fact('Write key', h('code', {}, writeKey));
  const lead = mapping ? 'Made by the mapping.' : 'As the library sent it, plus the members that Segment sets.';
  return column('Message', message === null ? 'No message.' : lead,
    facts.length > 0 && h('dl.facts', {}, facts),
    message !== null && h('div.block', {}, pretty(message, 'message')));
}

function sent({ deliveries }, constants) {
  return column('Sent', deliveries.length ? 'Each destination with its attempts.' : 'Nothing.',
    deliveries.map((one) => delivery(one, constants)));
}
