// The page: connects its parts.
import { $, count, say } from './dom.js';
import { setup } from './api.js';
import { showConnect } from './connect.js';
import { createDeadLetters } from './dead-letters.js';
import { createDetails } from './details.js';
import { createFaults } from './faults.js';
import { createFilter } from './filter.js';
import { listen } from './keys.js';
import { createList } from './list.js';
import { connect } from './live.js';
import { show as showNumbers } from './numbers.js';
import { createPanel } from './panel.js';
import { rejected } from './rejected.js';
import { legend } from './states.js';
import { createStore } from './store.js';
import { createTry } from './try.js';

const TELL_EVERY = 10_000;

const store = createStore();
let constants = null;
let told = 0;

const filter = createFilter(store, () => list.refilter());
const list = createList(store, filter, open);
const details = createDetails(store, filter, { onHide: () => list.setOpen(null) });
const trying = createTry(store, open);
const faults = createFaults(trying.several);
const deadLetters = createDeadLetters(open);
const panel = createPanel({ details, try: trying, faults, 'dead-letters': deadLetters, rejected });

/** Shows one message. The keyboard focus stays in the list. */
function open(id) {
  panel.show('details', { focus: document.activeElement !== $('grid') });
  details.open(id);
  list.setOpen(id);
}

/** `list`, or `empty` before the first message. */
const view = (name) => (document.body.dataset.view = name);

async function learn(which) {
  try {
    constants = await setup(which);
    // Hidden but in place, so that the other buttons do not move.
    document.querySelector('[data-tool=faults]').style.visibility = constants.standIn ? '' : 'hidden';
    trying.warn(constants);
    await showConnect();
  } catch {
    // The banner reports the lost connection; the next one tries again.
  }
}

/** Tells screen readers the numbers now and then. */
function tell(numbers) {
  if (Date.now() - told < TELL_EVERY) return;
  told = Date.now();
  const waiting = numbers.queues.reduce((sum, { depth }) => sum + depth, 0);
  say('heard', `${count(store.rows.length, 'message')}, ${waiting} waiting`);
}

legend($('legend'));
listen(list, panel, open);
$('test-event').addEventListener('click', () => panel.show('try'));
let learning = learn();
// Rows are gathered from a reset until all are there, so that the list keeps its place.
let gathered = null;

connect({
  reset: () => (gathered = []),
  rows(rows) {
    if (gathered) return void gathered.push(...rows);
    store.upsert(rows);
    view('list');
  },
  synced() {
    store.clear();
    store.upsert(gathered ?? []);
    gathered = null;
    learning.then(() => view(store.rows.length ? 'list' : 'empty'));
    list.settle();
  },
  numbers(numbers) {
    showNumbers(numbers, constants);
    faults.update(numbers.fault);
    deadLetters.update(numbers.queues.reduce((sum, queue) => sum + queue.deadLetters, 0));
    rejected.update(numbers.rejected);
    tell(numbers);
  },
  back: () => (learning = learn({ again: true })),
});
