// The panel beside or under the list: one message or one tool.
import { $, say } from './dom.js';

const TITLES = { details: 'Message', try: 'Try it', faults: 'Faults', 'dead-letters': 'Dead letters', rejected: 'Rejected', connect: 'Connect' };

/** `tools` holds the tools by name, with `show` and `hide`. */
export function createPanel(tools) {
  let open = null;
  let from = null;

  const panel = {
    /** Shows a tool; `focus` moves the keyboard there. */
    show(name, { focus = true } = {}) {
      if (open !== name) {
        if (open) hide(open);
        else from = document.activeElement;
        open = name;
        $(`tool-${name}`).hidden = false;
        $('panel').hidden = false;
        document.body.dataset.panel = name;
        say('panel-title', TITLES[name]);
        $('panel-actions').replaceChildren();
        mark();
        tools[name]?.show?.();
      }
      if (focus) $('panel-title').focus({ preventScroll: true });
    },

    /** Closes it. The focus goes back. */
    close() {
      if (!open) return;
      const inside = $('panel').contains(document.activeElement);
      hide(open);
      open = null;
      $('panel').hidden = true;
      delete document.body.dataset.panel;
      mark();
      if (inside) (from?.isConnected && from !== document.body ? from : $('grid')).focus({ preventScroll: true });
    },

    toggle(name) {
      if (open === name) panel.close();
      else panel.show(name);
    },
  };

  function hide(name) {
    $(`tool-${name}`).hidden = true;
    tools[name]?.hide?.();
  }

  function mark() {
    for (const button of document.querySelectorAll('[data-tool]')) {
      button.setAttribute('aria-expanded', String(button.dataset.tool === open));
    }
  }

  for (const button of document.querySelectorAll('[data-tool]')) {
    button.addEventListener('click', () => panel.toggle(button.dataset.tool));
  }
  $('close').addEventListener('click', panel.close);
  return panel;
}
