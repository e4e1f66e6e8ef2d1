// One dead letter.
import { count, h } from './dom.js';
import { time } from './clock.js';
import { copyButton } from './copy.js';
import { pretty } from './json.js';
import { chip, failureName } from './states.js';

/** `on` holds the actions of its buttons. */
export function deadLetter(letter, on) {
  const { key, destination, type, user, event, failure, reason, status, attempts, failedAt, body, row } = letter;
  const keys = { keys: [key] };
  const words = [failure && failureName(failure), status, attempts !== null && count(attempts, 'attempt')];
  const content = h('div.content', {});
  const item = h('details', { 'data-keep': key, 'data-key': key },
    h('summary', {},
      h('time.time', { title: failedAt }, failedAt ? time(failedAt).slice(0, 8) : ''), ' ',
      chip('dead-letter', destination, 'The destination'), ' ',
      h('b', {}, [type, event].filter(Boolean).join(' · ') || 'message'), ' ', h('span.dim', {}, user ?? ''), ' ',
      h('div', {}, [reason, words.filter(Boolean).join(', ')].filter(Boolean).join(' · '))),
    content);
  // Laying out a thousand closed bodies would be slow.
  item.addEventListener('toggle', () => {
    if (item.open && !content.childElementCount) content.append(pretty(body, `body ${key}`), copyButton('Copy', () => body));
  });
  return h('li', {}, item, h('div.fields', {},
    row !== null && row !== undefined && h('button', { onclick: () => on.onOpen(row) }, 'Details'),
    h('button', { onclick: () => on.redrive(keys), 'data-keep': `redrive ${key}` }, 'Redrive'),
    h('button.danger', { onclick: () => on.purge(keys), 'data-keep': `purge ${key}` }, 'Purge…')));
}
