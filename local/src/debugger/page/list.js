// The list, newest first. Only visible rows are elements. While the list is scrolled down or paused, new rows are
// counted and not added.
import { $, count, figure, say } from './dom.js';
import { eachSecond } from './clock.js';
import { createRow, fill, fillWhere, ticks } from './row.js';

const OVERSCAN = 6;
const STILL = matchMedia('(prefers-reduced-motion: reduce)');
const LIGHT = [{ backgroundColor: 'var(--fresh)' }, {}];

/** Shows the store's rows that match the filter. `onOpen(id)` opens one. */
export function createList(store, filter, onOpen) {
  const [grid, scroller, body] = [$('grid'), $('scroller'), $('rows')];
  const [shown, spare] = [new Map(), []];
  let view = [];
  let held = null; // the newest id when the list was held
  let [live, paused, scrolled] = [false, false, false];
  let [active, open] = [null, null];
  let [top, height, each, dirty] = [0, 0, 40, false];
  let newest = Infinity; // the newest id seen; later rows light up for a moment

  const at = (index) => {
    const row = view[view.length - 1 - index];
    return store.get(row.id) ?? row;
  };
  const indexOf = (id) => {
    const found = view.findLastIndex((row) => row.id === id);
    return found < 0 ? -1 : view.length - 1 - found;
  };

  /** Chooses the rows again. A held list gets no new ones. */
  function choose() {
    const matches = filter.matcher();
    const within = (row) => held === null || row.id <= held;
    view = held === null && !filter.active() ? store.rows : store.rows.filter((row) => within(row) && matches(row));
  }

  function hold() {
    const still = paused || scrolled;
    if (still === (held !== null)) return;
    held = still ? store.rows.at(-1)?.id ?? 0 : null;
    if (still) view = view.slice(); // the store's own array grows
    else choose();
  }

  function newer() {
    if (held === null) return 0;
    const matches = filter.matcher();
    return store.rows.filter((row) => row.id > held && matches(row)).length;
  }

  function render() {
    dirty = false;
    body.style.height = `${view.length * each}px`;
    const first = Math.max(0, Math.floor(top / each) - OVERSCAN);
    const last = Math.min(view.length, Math.ceil((top + height) / each) + OVERSCAN);
    const wanted = new Map();
    for (let index = first; index < last; index += 1) wanted.set(at(index).id, index);
    for (const [id, element] of shown) {
      if (wanted.has(id)) continue;
      shown.delete(id);
      spare.push(element);
    }
    for (const [id, index] of wanted) {
      const row = at(index);
      const arrives = id > newest && !shown.has(id);
      let element = shown.get(id) ?? spare.pop();
      if (!element) {
        element = createRow();
        body.append(element.element);
      }
      shown.set(id, element);
      if (element.row !== row) fill(element, row);
      element.element.hidden = false;
      if (arrives && !STILL.matches) element.element.animate(LIGHT, 1200);
      element.element.style.transform = `translateY(${index * each}px)`;
      element.element.setAttribute('aria-rowindex', index + 2);
      element.element.setAttribute('aria-selected', String(id === active));
      element.element.classList.toggle('open', id === open);
    }
    for (const element of spare) {
      element.element.hidden = true;
      element.element.id = '';
      element.row = null;
    }
    if (live) newest = store.rows.at(-1)?.id ?? 0;
    tell();
  }

  function tell() {
    grid.setAttribute('aria-rowcount', view.length + 1);
    if (shown.has(active)) grid.setAttribute('aria-activedescendant', `m${active}`);
    else grid.removeAttribute('aria-activedescendant');
    const waiting = newer();
    const all = figure(store.rows.length);
    say('shown', filter.active() ? `${figure(view.length)} of ${all}` : count(store.rows.length, 'message'));
    $('nothing').hidden = view.length > 0 || !filter.active();
    $('newer').hidden = !waiting;
    say('newer', `${figure(waiting)} new`);
    $('newer').title = paused ? 'Resume' : 'To the newest';
    say('pause', paused ? 'Resume' : 'Pause');
    $('pause').setAttribute('aria-pressed', String(paused));
  }

  function soon() {
    if (!dirty) requestAnimationFrame(render);
    dirty = true;
  }

  function changed() {
    if (held === null) choose();
    filter.refresh();
    soon();
  }

  function scroll() {
    top = scroller.scrollTop;
    scrolled = top > each / 2;
    hold();
    soon();
  }

  function activate(id) {
    active = id;
    const index = indexOf(id);
    if (index < 0) return soon();
    if (index * each < top) scroller.scrollTop = index * each;
    else if ((index + 1) * each > top + height) scroller.scrollTop = (index + 1) * each - height;
    scroll();
    render();
    if (open !== null) onOpen(id);
  }

  const list = {
    /** Moves the active row by so many. */
    move(by) {
      if (!view.length) return;
      const index = active === null ? -1 : indexOf(active);
      const next = index < 0 ? (by < 0 ? view.length - 1 : 0) : index + by;
      activate(at(Math.min(view.length - 1, Math.max(0, next))).id);
    },
    /** About one screen of rows. */
    page: () => Math.max(1, Math.floor(height / each) - 1),
    active: () => active,
    togglePause() {
      paused = !paused;
      if (!paused) scroller.scrollTop = 0;
      scroll();
    },
    /** Marks the row with open details, or none. */
    setOpen(id) {
      open = id;
      if (id !== null) active = id;
      soon();
    },
    /** All rows are loaded. Those of another server start over. */
    settle() {
      live = true;
      if ((store.rows.at(-1)?.id ?? 0) < held) [held, newest] = [null, Infinity];
      choose();
      scroll();
    },
    /** The filter changed. */
    refilter() {
      scroller.scrollTop = 0;
      top = 0;
      scrolled = false;
      held = paused ? held : null;
      choose();
      soon();
    },
  };

  store.onChange(changed);
  scroller.addEventListener('scroll', scroll, { passive: true });
  new ResizeObserver(([entry]) => {
    height = entry.contentRect.height;
    each = parseFloat(getComputedStyle(scroller).getPropertyValue('--row'));
    soon();
  }).observe(scroller);
  body.addEventListener('click', (event) => {
    const id = event.target.closest('.row')?.id;
    if (!id || !getSelection().isCollapsed) return;
    active = Number(id.slice(1));
    onOpen(active);
  });
  $('pause').addEventListener('click', list.togglePause);
  $('newer').addEventListener('click', () => {
    if (paused) return list.togglePause();
    scroller.scrollTop = 0;
    scroll();
    return grid.focus({ preventScroll: true });
  });
  eachSecond(() => shown.forEach(({ row, cells }) => row && ticks(row) && fillWhere(cells.where, row)));
  return list;
}
