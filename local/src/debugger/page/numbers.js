// The numbers at a glance: incoming, queue, outgoing.
import { $, count, figure, h, say } from './dom.js';
import { duration, latency } from './clock.js';
import { draw } from './chart.js';
import { failureName } from './states.js';

const SECONDS = 10;
const MOST_REASONS = 3;

/** The mean of the last ten whole seconds, without the current one. */
function rate(series) {
  const last = series.slice(-SECONDS - 1, -1);
  const mean = last.reduce((one, other) => one + other, 0) / SECONDS;
  return `${mean >= 10 || mean === 0 ? figure(Math.round(mean)) : mean.toFixed(1)}/s`;
}

/** Shows them. `setup` may be unknown yet. */
export function show(numbers, setup) {
  say('in-rate', rate(numbers.in));
  say('out-rate', rate(numbers.out));
  draw(numbers.in, numbers.out);
  queues(numbers.queues);
  say('destination', segmentState(numbers.fault, setup));
  if (setup) say('webhooks', setup.webhooks.length ? `and ${count(setup.webhooks.length, 'webhook')}` : '');
  $('out').classList.toggle('failing', Boolean(numbers.fault));
  say('p50', numbers.times ? latency(numbers.times.p50) : '–');
  say('p99', numbers.times ? latency(numbers.times.p99) : '–');
  say('kept', `${count(numbers.shown, 'message')} kept`);
  reasons(numbers.failures);
}

function queues(all) {
  const depth = all.reduce((sum, queue) => sum + queue.depth, 0);
  const oldest = Math.max(...all.map((queue) => queue.oldestSeconds ?? -1));
  const dead = all.reduce((sum, queue) => sum + queue.deadLetters, 0);
  say('depth', figure(depth));
  $('queue').classList.toggle('waiting', depth > 0);
  const parts = all.filter((queue) => queue.depth).map((queue) => `${figure(queue.depth)} for ${queue.label}`);
  say('oldest', depth ? `waiting, oldest ${duration(Math.max(0, oldest))}` : 'nothing waits');
  say('depths', parts.join(', '));
  $('dead-count').hidden = !dead;
  say('dead-count', figure(dead));
}

/** The state of Segment. */
function segmentState(fault, setup) {
  if (fault) return `${faultName(fault)}, ${duration(fault.secondsLeft)} left`;
  if (!setup) return '';
  return setup.standIn ? 'to the stand-in' : `to Segment, ${setup.endpoint}`;
}

/** A fault in words. */
export function faultName(fault) {
  if (fault.silent) return 'does not answer';
  if (fault.delaySeconds) return `answers after ${fault.delaySeconds} s`;
  return `answers ${fault.status}`;
}

function reasons(failures) {
  const most = [...failures].sort((one, other) => other.count - one.count);
  const items = most.slice(0, MOST_REASONS).map(({ reason, count: number }) =>
    h('li', {}, h('b', {}, figure(number)), h('span', {}, failureName(reason))));
  $('reasons').replaceChildren(...(items.length ? items : [h('li.dim', {}, 'none')]));
  $('failures').title = most.map(({ reason, count: number }) => `${failureName(reason)}: ${number}`).join('\n');
}
