// Pretty-prints JSON from its text, since parsing would lose digits.
import { h } from './dom.js';

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)|([[\]{},])|(\s+)|([\s\S])/gy;
/** Larger texts stay plain: coloring them is slow. */
const MAX_COLORED = 100_000;

/** A `pre` with the text, pretty-printed and colored if it is JSON. */
export function pretty(text, keep) {
  const pre = h('pre', { tabindex: '0', 'data-keep': keep });
  const parts = text.length <= MAX_COLORED ? layOut(text) : null;
  pre.append(...(parts ?? [text]));
  return pre;
}

function layOut(text) {
  const parts = [];
  const open = [];
  const line = () => `\n${'  '.repeat(open.length)}`;
  let plain = '';
  const color = (kind, word) => {
    if (plain) parts.push(plain);
    plain = '';
    parts.push(h(`span.${kind}`, {}, word));
  };
  const tokens = [...text.matchAll(TOKEN)].filter(([, , , , , space]) => space === undefined);
  for (const [index, [, string, colon, literal, mark]] of tokens.entries()) {
    if (string !== undefined) {
      color(colon ? 'name' : 'string', string);
      if (colon) plain += ': ';
    } else if (literal !== undefined) {
      color('literal', literal);
    } else if (mark === '{' || mark === '[') {
      const closing = mark === '{' ? '}' : ']';
      plain += mark;
      open.push(closing);
      if (tokens[index + 1]?.[4] !== closing) plain += line();
    } else if (mark === '}' || mark === ']') {
      if (open.pop() !== mark) return null;
      plain += '{['.includes(tokens[index - 1]?.[4] ?? ' ') ? mark : `${line()}${mark}`;
    } else if (mark === ',') {
      plain += `,${line()}`;
    } else {
      return null;
    }
  }
  if (open.length) return null;
  return plain ? [...parts, plain] : parts;
}
