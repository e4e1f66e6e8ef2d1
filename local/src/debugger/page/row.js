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

/** Replaces a cell's parts if they differ. Replacing equal ones would count as a layout shift. */
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
  const at = time(row.at);
  put(cells.time, row.at, h('span', {}, at.slice(0, 8)), h('span.ms', {}, at.slice(8)));
  const again = `Received ${row.times} times; it is one message.`;
  put(cells.state, '', chip(row.state), h('span.times', { title: again }, row.times > 1 ? `×${row.times}` : ''));
  say(cells.source, row.source);
  say(cells.type, row.type ?? '–');
  const kind = row.kind === row.event ? '' : row.kind ?? '';
  put(cells.event, [row.event, kind].filter(Boolean).join(' · '), h('span', {}, row.event ?? ''), h('span.dim', {}, row.event && kind ? ` ${kind}` : kind));
  // A small screen has no column for the type.
  cells.event.dataset.none = row.event || kind ? '' : row.type ?? 'no message';
  say(cells.user, row.user ?? '');
  cells.source.title = row.source;
  cells.user.title = row.user ?? '';
  fillWhere(cells.where, row);
}

/** Whether the row shows a countdown. */
export const ticks = (row) => row.destinations.some(({ due }) => due);

/** The last cell: Segment, the destinations that need a look, then the others; or the reason for having none. */
export function fillWhere(cell, row) {
  const worst = byConcern(row.destinations)[0]?.state;
  const isSegment = ({ name }) => name === 'Segment' || name === 'stand-in';
  const sorted = byConcern(row.destinations).sort((one, other) => isSegment(other) - isSegment(one));
  const parts = sorted.map((destination) => {
    const { name, state, attempts, due, reason } = destination;
    const so = state === 'retrying' ? `${tried(attempts)}${due ? `, ${next(due)}` : ''}` : stateName(state);
    const why = reason && state !== 'delivered' ? ` · ${reason}` : '';
    // Segment comes first, so its text is short when another destination is worse.
    const short = isSegment(destination) && state !== worst;
    const text = short ? stateName(state) : state === 'dead-letter' && reason ? reason : so + why;
    // The mark says "delivered"; screen readers get the word.
    return h('span.to', { 'data-state': state, title: `${name}: ${so}${why}` }, h('i', { 'aria-hidden': 'true' }),
      h('b', {}, name), h('span', { class: state === 'delivered' ? 'unseen' : null }, ` ${text} `));
  });
  put(cell, parts.length ? '' : row.reason ?? '', ...(parts.length ? parts : [h('span', {}, row.reason ?? '')]));
}
