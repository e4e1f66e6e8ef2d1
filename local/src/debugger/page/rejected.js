// Rejected: invalid messages from batches.
import { $, count, exchange, figure, h, say } from './dom.js';
import { newest } from './api.js';
import { time } from './clock.js';
import { pretty } from './json.js';

let shown = false;
let known;

const load = newest('rejected', ({ messages = [], total, error }) => {
  const some = total ? `${count(total, 'rejected message')}. Fix the sender: Segue does not resend them.` : 'No rejected messages of batches. Refused requests are in the list.';
  say('rejected-note', error ? error.message : some);
  exchange($('rejected-list'), ...messages.map(item));
});

function item({ receivedAt, field, problem, message }, at) {
  const content = h('div', {});
  const details = h('details', { 'data-keep': `${receivedAt} ${at}` },
    h('summary', {}, h('time.time', { title: receivedAt }, time(receivedAt).slice(0, 8)), ' ', h('b', {}, field), ` ${problem}`), content);
  details.addEventListener('toggle', () => content.childElementCount || content.append(pretty(message, `body ${receivedAt}`)));
  return h('li', {}, details);
}

export const rejected = {
  show() {
    shown = true;
    load();
  },
  hide: () => (shown = false),
  /** Takes their number, each second. */
  update(number) {
    $('rejected-count').hidden = !number;
    say('rejected-count', figure(number));
    if (shown && number !== known) load();
    known = number;
  },
};
