// Makes and finds elements. Message content becomes text nodes, never markup.

const given = (value) => value !== null && value !== undefined && value !== false;

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/**
 * Makes an element: `h('button.primary', {title: 'Now', onclick}, 'Send')`. Attributes that begin with `on` are
 * listeners. Attributes and children that are null, undefined or false are left out.
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  if (name === 'button') element.type = 'button';
  for (const [key, value] of Object.entries(attributes)) {
    if (!given(value)) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter(given));
  return element;
}

/** Sets the text of an element or an id, if it differs. */
export function say(place, text) {
  const element = typeof place === 'string' ? $(place) : place;
  if (element.textContent !== text) element.textContent = text;
}

/** Sets a select's options `[value, label]` after its first one, and keeps the selection. */
export function choices(select, options) {
  const wanted = options.map(([value, label]) => `${value}\n${label}`).join('\n\n');
  if (select.dataset.options === wanted) return;
  select.dataset.options = wanted;
  const chosen = select.value;
  const first = select.options[0]?.value === '' ? [select.options[0]] : [];
  select.replaceChildren(...first, ...options.map(([value, label]) => h('option', { value }, label)));
  select.value = chosen;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}

/** Replaces the children of `root`. Elements with a known `data-keep` stay scrolled, open and focused. */
export function exchange(root, ...children) {
  const kept = new Map([...root.querySelectorAll('[data-keep]')].map((element) => [element.dataset.keep,
    { open: element.open, top: element.scrollTop, focus: element === document.activeElement }]));
  const top = root.scrollTop;
  root.replaceChildren(...children);
  for (const element of root.querySelectorAll('[data-keep]')) {
    const was = kept.get(element.dataset.keep);
    if (!was) continue;
    if (was.open !== undefined) element.open = was.open;
    if (was.focus) element.focus({ preventScroll: true });
    element.scrollTop = was.top;
  }
  root.scrollTop = top;
}

/** A number as `10,000`. */
export const figure = (number) => number.toLocaleString('en-US');

/** `count(2, 'message')` is `2 messages`. */
export const count = (number, noun) => `${figure(number)} ${noun}${number === 1 ? '' : 's'}`;
