// Dead letters: redrive or purge them.
import { $, choices, count, exchange, figure, h, say } from './dom.js';
import { ask, newest } from './api.js';
import { deadLetter } from './dead-letter.js';
import { failureName } from './states.js';

/** `onOpen(id)` opens a message. */
export function createDeadLetters(onOpen) {
  let letters = [];
  let total = 0;
  let known = -1;
  let shown = false;

  const load = newest('dead-letters', ({ error, ...answer }) => {
    if (error) return say('dead-note', error.message);
    ({ total, deadLetters: letters } = answer);
    render();
  });

  /** The filter, as the server takes it. */
  function filter() {
    const wanted = {};
    const [queue, webhook] = JSON.parse($('dead-queue').value || '[]');
    if (queue) wanted.queue = queue;
    if (webhook) wanted.webhook = webhook;
    if ($('dead-type').value) wanted.type = $('dead-type').value;
    if ($('dead-failure').value) wanted.failure = $('dead-failure').value;
    return wanted;
  }

  function render() {
    const unique = (values) => [...new Set(values.filter(Boolean))].sort();
    const queues = new Map(letters.map(({ queue, webhook, destination }) => [JSON.stringify([queue, webhook]), destination]));
    choices($('dead-queue'), [...queues]);
    choices($('dead-type'), unique(letters.map(({ type }) => type)).map((type) => [type, type]));
    choices($('dead-failure'), unique(letters.map(({ failure }) => failure)).map((failure) => [failure, failureName(failure)]));
    const wanted = Object.entries(filter());
    const matching = letters.filter((letter) => wanted.every(([name, value]) => letter[name] === value));
    const filtered = wanted.length > 0;
    say('redrive-all', filtered ? 'Redrive these' : 'Redrive all');
    say('purge-all', filtered ? 'Purge these…' : 'Purge all…');
    $('redrive-all').disabled = $('purge-all').disabled = !total || (filtered && !matching.length && total <= letters.length);
    exchange($('dead-list'), ...matching.map((letter) => deadLetter(letter, { onOpen, redrive, purge })));
    if (!total) say('dead-note', 'No dead letters. Messages that a destination permanently refused, or that ran out of retries, appear here with the reason.');
    else if (total > letters.length) say('dead-note', `${count(total, 'dead letter')}, the newest ${figure(letters.length)} shown`);
    else say('dead-note', filtered ? `${matching.length} of ${count(total, 'dead letter')}` : count(total, 'dead letter'));
  }

  async function redrive(choice) {
    await doing(async () => {
      const { redriven } = await ask('redrive', { method: 'POST', body: choice });
      return `${count(redriven, 'message')} put back into the queue.`;
    });
  }

  async function purge(choice) {
    await doing(async () => {
      const would = await ask('purge', { method: 'POST', body: { ...choice, dryRun: true } });
      const number = would.messages?.length ?? would.purged;
      if (!number) return 'No dead letter matches any more.';
      if (!(await sure(number))) return '';
      const { purged } = await ask('purge', { method: 'POST', body: choice });
      return `${count(purged, 'dead letter')} purged.`;
    });
  }

  async function doing(work) {
    let said;
    try {
      said = await work();
    } catch (error) {
      said = error.message;
    }
    await load();
    if (said) say('dead-note', said);
  }

  $('dead-filter').addEventListener('change', render);
  $('dead-filter').addEventListener('submit', (event) => event.preventDefault());
  $('redrive-all').addEventListener('click', () => redrive(filter()));
  $('purge-all').addEventListener('click', () => purge(filter()));

  return {
    show() {
      shown = true;
      load();
    },
    hide: () => (shown = false),
    /** Takes their number, each second. */
    update(number) {
      if (shown && number !== known) load();
      known = number;
    },
  };
}

/** Asks for confirmation. */
function sure(number) {
  const dialog = $('sure');
  say('sure-title', `Purge ${count(number, 'dead letter')}?`);
  say('sure-text', 'This deletes permanently. No redrive and no command can undo it.');
  say('sure-yes', `Purge ${figure(number)}`);
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}
