// The chart of the last minutes, one column a second: incoming grows up, outgoing down. The scale is a square root, so
// that a burst does not flatten the rest.
import { $, figure, say } from './dom.js';

const [WIDTH, MIDDLE] = [300, 30];

/** Draws both series, oldest first. */
export function draw(incoming, outgoing) {
  const peak = Math.max(...incoming, ...outgoing);
  const scale = (MIDDLE - 1) / Math.sqrt(Math.max(peak, 4));
  $('chart').querySelector('path.in').setAttribute('d', columns(incoming, -scale));
  $('chart').querySelector('path.out').setAttribute('d', columns(outgoing, scale));
  const sum = (series) => figure(series.reduce((one, other) => one + other, 0));
  say('peak', peak ? `, peak ${figure(peak)}/s` : '');
  $('chart').setAttribute('aria-label',
    `In the last five minutes ${sum(incoming)} in and ${sum(outgoing)} out, at most ${peak} a second`);
}

function columns(series, scale) {
  const width = WIDTH / series.length;
  let path = '';
  series.forEach((value, index) => {
    if (!value) return;
    path += `M${(index * width).toFixed(2)} ${MIDDLE}v${(Math.sqrt(value) * scale).toFixed(2)}h${width.toFixed(2)}V${MIDDLE}z`;
  });
  return path;
}
