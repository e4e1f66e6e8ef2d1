// The event stream. The browser reconnects after a loss, and this page after a refusal.
import { $, say } from './dom.js';
import { ask } from './api.js';
import { setServerTime } from './clock.js';

const AGAIN = 2000;

/** Connects; `on` has `reset`, `rows`, `numbers` and `synced`. */
export function connect(on) {
  let wasLost = false;
  const source = new EventSource('/debugger/api/live');
  const take = (name, then) => source.addEventListener(name, (event) => then(JSON.parse(event.data)));
  take('reset', () => on.reset());
  take('rows', (rows) => on.rows(rows));
  take('synced', () => on.synced());
  take('numbers', (numbers) => {
    setServerTime(numbers.now);
    on.numbers(numbers);
  });
  source.addEventListener('open', () => {
    tell('live', 'live');
    $('banner').hidden = true;
    if (wasLost) on.back();
    wasLost = false;
  });
  source.addEventListener('error', () => {
    wasLost = true;
    tell('lost', 'no connection');
    say('banner', 'Connection lost. The list shows the last known state. Reconnecting …');
    $('banner').hidden = false;
    if (source.readyState !== EventSource.CLOSED) return;
    // Refused, for example for an old token.
    ask('setup').catch(({ status, message }) => status && say('banner', message));
    setTimeout(() => connect(on), AGAIN);
  });
}

function tell(state, text) {
  $('link').dataset.link = state;
  say('link', text);
}
