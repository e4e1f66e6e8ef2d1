// One row of the list: its cells are made once and filled again and again.
import { h, say } from './dom.js';
import { next, time } from './clock.js';
import { byConcern, chip, stateName, tried } from './states.js';

const CELLS = ['time', 'state', 'source', 'type', 'event', 'user', 'where'];

/** An empty row. */
export function createRow() {
  const cells = Object.fromEntries(CELLS.map((name) => [name, h(`span.${name}`, { role: 'gridcell' })]));
  return { element: h('div.row', { role: 'row' }, CELLS.map((name) => cells[name])), cells, row: null };
}

/** Puts parts into a cell when they say something new. Parts that stayed would move. */
function put(cell, title, ...parts) {
  const said = parts.map((part) => part.dataset?.state + part.textContent).join('\n');
  if (cell.said !== said) cell.replaceChildren(...parts);
  cell.said = said;
  cell.title = title;
}

/** Shows a row. */
export function fill(view, row) {
  const { element, cells } = view;
  view.row = row;
  element.id = `m${row.id}`;
  element.dataset.state = row.state;
  say(cells.time, time(row.at));
  cells.time.title = row.at;
  const again = `The same message came in ${row.times} times; it is one message.`;
  put(cells.state, '', chip(row.state), h('span.times', { title: again }, row.times > 1 ? `×${row.times}` : ''));
  put(cells.source, [row.source, row.kind].filter(Boolean).join(' · '), h('b', {}, row.source), ' ', h('span.dim', {}, row.kind ?? ''));
  say(cells.type, row.type ?? '–');
  // Where there is no event's name, a small screen shows what it was instead.
  say(cells.event, row.event ?? row.kind ?? row.type ?? 'no message');
  cells.event.classList.toggle('none', !row.event);
  cells.event.title = row.event ?? '';
  say(cells.user, row.user ?? '');
  cells.user.title = row.user ?? '';
  fillWhere(cells.where, row);
}

/** Whether what it says changes with time alone. */
export const ticks = (row) => row.destinations.some(({ due }) => due);

/** The last cell: each destination, or why there is none. */
export function fillWhere(cell, row) {
  const parts = byConcern(row.destinations).map(({ name, state, attempts, due, reason }) => {
    const so = state === 'retrying' ? `${tried(attempts)}${due ? `, ${next(due)}` : ''}` : stateName(state);
    const why = reason && state !== 'delivered' ? ` · ${reason}` : '';
    // Its mark says that it is delivered; who cannot see the mark is told in a word.
    return h('span.to', { 'data-state': state, title: `${name}: ${so}${why}` }, h('i', { 'aria-hidden': 'true' }),
      h('b', {}, name), h('span', { class: state === 'delivered' ? 'unseen' : null }, ` ${so}${why}`));
  });
  put(cell, row.destinations.length ? '' : row.reason ?? '', ...(parts.length ? parts : [h('span', {}, row.reason ?? '')]));
}
