// JSON as people read it, laid out from its text: parsed numbers would lose digits.
import { h } from './dom.js';

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)|([[\]{},])|(\s+)|([\s\S])/gy;
/** Larger texts are shown plain: so many colours would make the page slow. */
const COLOURED = 100_000;

/** A `pre` with the text: laid out and coloured if it is JSON, as it is otherwise. */
export function pretty(text, keep) {
  const pre = h('pre', { tabindex: '0', 'data-keep': keep });
  const parts = text.length <= COLOURED ? layOut(text) : null;
  pre.append(...(parts ?? [text]));
  return pre;
}

function layOut(text) {
  const parts = [];
  const open = [];
  const line = () => `\n${'  '.repeat(open.length)}`;
  let plain = '';
  const colour = (kind, word) => {
    if (plain) parts.push(plain);
    plain = '';
    parts.push(h(`span.${kind}`, {}, word));
  };
  const tokens = [...text.matchAll(TOKEN)].filter(([, , , , , space]) => space === undefined);
  for (const [index, [, string, colon, literal, mark]] of tokens.entries()) {
    if (string !== undefined) {
      colour(colon ? 'name' : 'string', string);
      if (colon) plain += ': ';
    } else if (literal !== undefined) {
      colour('literal', literal);
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
