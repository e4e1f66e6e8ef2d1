// Rejected: invalid messages from batches.
import { $, count, exchange, figure, h, say } from './dom.js';
import { ask } from './api.js';
import { time } from './clock.js';
import { pretty } from './json.js';

let shown = false;
let known;

async function load() {
  const { messages, total } = await ask('rejected').catch(({ message }) => ({ messages: [], total: message }));
  say('rejected-note', total > 0 ? `${count(total, 'rejected message')}. Fix the sender: Segue does not resend them.` : total || 'No rejected messages of batches. Refused requests are in the list.');
  exchange($('rejected-list'), ...messages.map(item));
}

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
