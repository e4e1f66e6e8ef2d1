// The filter: its fields, its place in the URL, and the rows that match.
import { $, choices, figure, h, say } from './dom.js';
import { STATES, stateName, statesOf } from './states.js';

const FIELDS = ['text', 'user', 'type', 'source'];
const TYPES = ['identify', 'track', 'page', 'screen', 'group', 'alias', 'delete'];

/** The searchable text of a row in lower case, cached. */
const texts = new WeakMap();
function textOf(row) {
  let text = texts.get(row);
  if (text === undefined) {
    const destinations = row.destinations.flatMap(({ name, state, failure, reason }) => [name, state, failure, reason]);
    const all = [row.event, row.kind, row.user, row.source, row.type, row.messageId, row.state, row.reason, ...destinations];
    text = all.filter(Boolean).join('\n').toLowerCase();
    texts.set(row, text);
  }
  return text;
}

/** Reads the filter from the URL, shows it, and calls `onChange` when it changes. */
export function createFilter(store, onChange) {
  const query = new URLSearchParams(location.search);
  const filter = { state: query.get('state') in STATES ? query.get('state') : '' };
  for (const field of FIELDS) {
    filter[field] = query.get(field) ?? '';
    $(field).addEventListener('input', () => set({ [field]: $(field).value }));
  }
  $('filter').addEventListener('submit', (event) => event.preventDefault());
  $('more').addEventListener('click', () => {
    $('more').setAttribute('aria-expanded', String($('filter').classList.toggle('more')));
  });
  $('clear').addEventListener('click', () => {
    set({ text: '', user: '', type: '', source: '', state: '' });
    $('text').focus();
  });
  const chips = ['', ...Object.keys(STATES)].map((state) => {
    const number = h('b', {}, '0');
    const title = state ? STATES[state] : 'Messages in every state';
    const press = () => set({ state: filter.state === state ? '' : state });
    const button = h('button', { 'data-state': state || 'all', title, onclick: press, 'aria-pressed': 'false' },
      state ? stateName(state) : 'all', ' ', number);
    $('states').append(button);
    return { state, button, number };
  });

  function set(change) {
    Object.assign(filter, change);
    const query = new URLSearchParams(location.search);
    for (const field of [...FIELDS, 'state']) {
      if (filter[field]) query.set(field, filter[field]);
      else query.delete(field);
    }
    const text = query.toString();
    history.replaceState(null, '', `${location.pathname}${text && `?${text}`}${location.hash}`);
    show();
    onChange();
  }

  function show() {
    for (const field of FIELDS) if ($(field).value !== filter[field]) $(field).value = filter[field];
    $('clear').disabled = !api.active();
    chips.forEach(({ state, button }) => button.setAttribute('aria-pressed', String(filter.state === state)));
  }

  /** Updates the choices and the counts. */
  function refresh() {
    const sources = [...store.sources.keys(), filter.source].filter(Boolean);
    choices($('source'), [...new Set(sources)].sort().map((source) => [source, source]));
    choices($('type'), TYPES.map((type) => [type, type]));
    for (const { state, number } of chips) {
      const sum = state ? store.states.get(state) ?? 0 : store.rows.length;
      say(number, figure(sum));
    }
    show();
  }

  function matcher() {
    const { type, source, state } = filter;
    const [text, user] = [filter.text.trim().toLowerCase(), filter.user.trim().toLowerCase()];
    return (row) => (!type || row.type === type) && (!source || row.source === source) && (!state || statesOf(row).has(state))
      && (!user || (row.user ?? '').toLowerCase().includes(user)) && (!text || textOf(row).includes(text));
  }

  const api = { set, refresh, matcher, active: () => [...FIELDS, 'state'].some((field) => filter[field].trim()) };
  refresh();
  return api;
}
