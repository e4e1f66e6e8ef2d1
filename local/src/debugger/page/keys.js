// The keyboard shortcuts.
import { $ } from './dom.js';

const TOOLS = { t: 'try', f: 'faults', d: 'dead-letters', c: 'connect' };

/** Listens; `onOpen(id)` opens a message. */
export function listen(list, panel, onOpen) {
  const moves = {
    j: () => list.move(1), ArrowDown: () => list.move(1), k: () => list.move(-1), ArrowUp: () => list.move(-1),
    PageDown: () => list.move(list.page()), PageUp: () => list.move(-list.page()),
    Home: () => list.move(-Infinity), End: () => list.move(Infinity),
  };

  const keys = () => ($('keys').open ? $('keys').close() : $('keys').showModal());
  $('show-keys').addEventListener('click', keys);

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
    const { target, key } = event;
    const typing = target.closest('input:not([type=radio]), textarea, select');
    if (key === 'Escape') return escape(event, typing);
    if (typing) return;
    // In the panel the arrows scroll, and Enter presses a focused button.
    const free = target === document.body || $('messages').contains(target);
    if ((key === 'j' || key === 'k' || free) && moves[key] && !target.closest('#states, button')) {
      event.preventDefault();
      moves[key]();
      if (free) $('grid').focus({ preventScroll: true });
    } else if (key === 'Enter' && target === $('grid') && list.active() !== null) {
      event.preventDefault();
      onOpen(list.active());
    } else if (key === '/') {
      event.preventDefault();
      $('text').focus();
      $('text').select();
    } else if (key === 'p') {
      list.togglePause();
    } else if (key === '?') {
      keys();
    } else if (TOOLS[key] && !document.querySelector(`[data-tool=${TOOLS[key]}]`).style.visibility) {
      event.preventDefault();
      panel.toggle(TOOLS[key]);
    }
  });

  /** Leaves a filter field, or closes the panel. */
  function escape(event, typing) {
    if (!typing || !$('filter').contains(event.target)) return panel.close();
    // Otherwise the browser clears the field without an event.
    event.preventDefault();
    $('grid').focus();
  }
}
