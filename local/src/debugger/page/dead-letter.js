// One dead letter, which opens to show what it holds.
import { h } from './dom.js';
import { time } from './clock.js';
import { copyButton } from './copy.js';
import { pretty } from './json.js';
import { chip, failureName } from './states.js';

/** `on` has what its buttons do. */
export function deadLetter(letter, on) {
  const { key, destination, type, user, event, failure, reason, status, attempts, failedAt, body, row } = letter;
  const keys = { keys: [key] };
  const words = [failure && failureName(failure), status, attempts !== null && `${attempts} attempt${attempts === 1 ? '' : 's'}`];
  const content = h('div.content', {});
  const item = h('details', { 'data-keep': key, 'data-key': key },
    h('summary', {},
      h('time.time', { title: failedAt }, failedAt ? time(failedAt).slice(0, 8) : ''), ' ',
      chip('dead-letter', destination, 'Where it did not go'), ' ',
      h('b', {}, [type, event].filter(Boolean).join(' · ') || 'message'), ' ', h('span.dim', {}, user ?? ''), ' ',
      h('span', {}, reason ?? '', ' ', h('span.dim', {}, words.filter(Boolean).join(', ')))),
    content);
  // A thousand bodies that nobody opens are not laid out.
  item.addEventListener('toggle', () => {
    if (item.open && !content.childElementCount) content.append(pretty(body, `body ${key}`), copyButton('Copy', () => body));
  });
  return h('li', {}, item, h('div.fields', {},
    row !== null && row !== undefined && h('button', { onclick: () => on.onOpen(row) }, 'Details'),
    h('button', { onclick: () => on.redrive(keys), 'data-keep': `redrive ${key}` }, 'Redrive'),
    h('button.danger', { onclick: () => on.purge(keys), 'data-keep': `purge ${key}` }, 'Purge…')));
}
