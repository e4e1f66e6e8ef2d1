// Copying to the clipboard, which browsers give to pages of this machine and of https only; else the old way.
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

/** A button that copies what `text()` returns, and says that it did. */
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

/** A URL or a command, with a button that copies it. */
export function copyField(text, label) {
  return h('div.copyfield', {}, h('code', { tabindex: '0' }, text), copyButton('Copy', () => text, { 'aria-label': `Copy ${label}` }));
}
