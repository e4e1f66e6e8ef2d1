// One row of the list: its elements are made once and filled again and again.
import { h, say } from './dom.js';
import { next, time } from './clock.js';
import { byConcern, stateName, STATES } from './states.js';

const CELLS = ['time', 'state', 'source', 'type', 'event', 'user', 'where'];

/** An empty row. */
export function createRow() {
  const cells = Object.fromEntries(CELLS.map((name) => [name, h(`span.${name}`, { role: 'gridcell' })]));
  cells.chip = h('span.chip');
  cells.times = h('span.times');
  cells.state.append(cells.chip, cells.times);
  cells.from = h('b');
  cells.kind = h('span.dim');
  cells.source.append(cells.from, ' ', cells.kind);
  const element = h('div.row', { role: 'row' }, CELLS.map((name) => cells[name]));
  return { element, cells, row: null };
}

/** Shows a row. */
export function fill(view, row) {
  const { element, cells } = view;
  view.row = row;
  element.id = `m${row.id}`;
  element.dataset.state = row.state;
  say(cells.time, time(row.at));
  cells.time.title = row.at;
  say(cells.chip, stateName(row.state));
  cells.chip.dataset.state = row.state;
  cells.chip.title = STATES[row.state] ?? '';
  say(cells.times, row.times > 1 ? `×${row.times}` : '');
  cells.times.title = row.times > 1 ? `The same message came in ${row.times} times; it is one message.` : '';
  say(cells.from, row.source);
  say(cells.kind, row.kind ?? '');
  cells.source.title = [row.source, row.kind].filter(Boolean).join(' · ');
  say(cells.type, row.type ?? '–');
  // Where there is no event's name, a small screen shows what it was instead.
  say(cells.event, row.event ?? row.kind ?? row.type ?? '–');
  cells.event.classList.toggle('none', !row.event);
  cells.event.title = row.event ?? '';
  say(cells.user, row.user ?? '');
  cells.user.title = row.user ?? '';
  fillWhere(cells.where, row);
}

/** Whether what it says changes with time alone. */
export const ticks = (row) => row.destinations.some(({ due }) => due);

/** A destination in a few words: `Segment: attempt 2 failed, next in 12 s`. */
export function words(destination) {
  const { state, attempts, due } = destination;
  if (state === 'retrying') return `attempt ${attempts} failed${due ? `, ${next(due)}` : ''}`;
  return stateName(state);
}

/** The last cell: each destination, or why there is none. */
export function fillWhere(cell, row) {
  if (!row.destinations.length) {
    if (cell.firstElementChild || cell.textContent !== (row.reason ?? '')) cell.replaceChildren(row.reason ?? '');
    cell.title = row.reason ?? '';
    return;
  }
  const destinations = byConcern(row.destinations);
  while (cell.childElementCount > destinations.length) cell.lastElementChild.remove();
  if (!cell.childElementCount) cell.textContent = '';
  while (cell.childElementCount < destinations.length) {
    cell.append(h('span.to', {}, h('i', { 'aria-hidden': 'true' }), h('b'), h('span')));
  }
  destinations.forEach((destination, index) => {
    const element = cell.children[index];
    const [, name, rest] = element.children;
    element.dataset.state = destination.state;
    say(name, destination.name);
    const reason = destination.reason && destination.state !== 'delivered' ? ` · ${destination.reason}` : '';
    // Its mark says that it is delivered; who cannot see the mark is told in a word.
    rest.className = destination.state === 'delivered' ? 'unseen' : '';
    say(rest, ` ${words(destination)}${reason}`);
    element.title = `${destination.name}: ${words(destination)}${reason}`;
  });
  cell.title = '';
}
