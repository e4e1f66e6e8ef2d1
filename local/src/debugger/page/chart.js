// In and out of the last minutes, a column each second: in grows upwards, out downwards, on one scale. It is that of
// the square root, so that a burst leaves the rest to be seen.
import { $, figure, say } from './dom.js';

const [WIDTH, MIDDLE] = [300, 30];

/** Draws both series, oldest first. */
export function draw(incoming, outgoing) {
  const peak = Math.max(...incoming, ...outgoing);
  const scale = (MIDDLE - 1) / Math.sqrt(Math.max(peak, 4));
  $('chart').querySelector('path.in').setAttribute('d', columns(incoming, -scale));
  $('chart').querySelector('path.out').setAttribute('d', columns(outgoing, scale));
  const sum = (series) => figure(series.reduce((one, other) => one + other, 0));
  say('peak', peak ? `peak ${figure(peak)}` : '');
  $('chart').setAttribute('aria-label',
    `In the last five minutes ${sum(incoming)} in and ${sum(outgoing)} out, at most ${peak} in a second`);
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
