// Copying. Browsers give the clipboard API to localhost and https pages only; others copy from a text field.
import { h } from './dom.js';

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h('textarea.unseen', { 'aria-hidden': 'true' });
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied;
  }
}

/** A button that copies the result of `text()` and says so. */
export function copyButton(label, text, attributes = {}) {
  const said = h('span', {}, label);
  const button = h('button.copy', attributes, said);
  button.addEventListener('click', async () => {
    const copied = await copy(text());
    button.focus();
    said.textContent = copied ? 'Copied' : 'Not allowed';
    button.classList.add('done');
    setTimeout(() => {
      said.textContent = label;
      button.classList.remove('done');
    }, 1500);
  });
  return button;
}

/** A URL or a command with a copy button. */
export function copyField(text, label) {
  return h('div.copyfield', {}, h('code', { tabindex: '0' }, text), copyButton('Copy', () => text, { 'aria-label': `Copy ${label}` }));
}
