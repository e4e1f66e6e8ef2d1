// Faults: the stand-in fails for a while.
import { $, h, say } from './dom.js';
import { ask } from './api.js';
import { duration } from './clock.js';
import { faultName } from './numbers.js';

const KINDS = [
  { label: 'answers 429', note: 'too many requests', fault: { status: 429 }, retryAfter: true },
  { label: 'answers 500', note: 'server error', fault: { status: 500 } },
  { label: 'answers 503', note: 'unavailable', fault: { status: 503 }, retryAfter: true },
  { label: 'answers slowly', note: 'after 5 s', fault: { delaySeconds: 5 } },
  { label: 'does not answer', note: 'until the timeout', fault: { silent: true } },
];

/** `several(n)` sends n samples. */
export function createFaults(several) {
  let until = 0;
  let total = 1;

  $('fault-kinds').append(...KINDS.map(({ label, note }, index) => h('label.choice', {},
    h('input', { type: 'radio', name: 'kind', value: index, checked: index === 0 }), h('span', {}, label), h('small.dim', {}, note))));

  const kind = () => KINDS[new FormData($('fault-form')).get('kind')];
  const seconds = () => Number($('fault-seconds').value);

  function forecast() {
    const { label, fault, retryAfter } = kind();
    $('retry-after-field').hidden = !retryAfter;
    const then = fault.delaySeconds ? 'Messages arrive at the first attempt, only later.' : 'Messages wait and retry, then all arrive.';
    say('fault-forecast', `For ${duration(seconds())} the stand-in (a fake Segment built into Segue) ${label}. ${then} Senders still get 200.`);
  }

  async function change(method, body) {
    say('fault-problem', '');
    try {
      await ask('fault', { method, body });
      return true;
    } catch (error) {
      say('fault-problem', error.message);
      return false;
    }
  }

  function start() {
    const { fault, retryAfter } = kind();
    const wait = retryAfter && $('retry-after').value ? { retryAfter: Number($('retry-after').value) } : {};
    total = seconds();
    return change('PUT', { ...fault, ...wait, seconds: total });
  }

  $('fault-form').addEventListener('change', forecast);
  $('fault-form').addEventListener('submit', (event) => {
    event.preventDefault();
    start();
  });
  $('fault-send').addEventListener('click', async () => {
    if (!(await start())) return;
    try {
      await several(3);
    } catch (error) {
      say('fault-problem', error.message);
    }
  });
  $('fault-end').addEventListener('click', () => change('DELETE'));
  forecast();

  return {
    /** Takes the current fault, each second. */
    update(fault) {
      const left = fault?.secondsLeft ?? 0;
      if (left > until) total = Math.max(left, 1);
      until = left;
      $('fault-end').disabled = !fault;
      $('fault-left').value = fault ? left / Math.max(total, left) : 0;
      say('fault-now', fault ? `Now the stand-in ${faultName(fault)}, ${duration(left)} left.` : 'Now the stand-in is healthy.');
    },
  };
}
