// Try it: sends an edited sample as its sender would, and shows the result.
import { $, h, say } from './dom.js';
import { ask } from './api.js';
import { fillWhere, ticks } from './row.js';
import { eachSecond } from './clock.js';
import { withNewIds } from './new-ids.js';
import { chip } from './states.js';

/** Sends samples. `onOpen(id)` opens a message. */
export function createTry(store, onOpen) {
  let samples = null;
  let ids = [];
  let last = '';

  async function load() {
    if (samples) return;
    try {
      samples = (await ask('samples')).samples;
      const groups = new Map();
      for (const sample of samples) groups.set(sample.group, [...(groups.get(sample.group) ?? []), sample]);
      $('sample').replaceChildren(...[...groups].map(([label, members]) =>
        h('optgroup', { label }, members.map((sample) => h('option', { value: samples.indexOf(sample) }, `${label}: ${sample.name}`)))));
      const login = samples.findIndex(({ name }) => name.endsWith('user.login.success'));
      $('sample').value = Math.max(0, login);
      pick();
    } catch (error) {
      say('try-problem', error.message);
    }
  }

  const chosen = () => samples?.[$('sample').value];

  function pick() {
    say('try-path', `POST ${chosen().path}`);
    $('try-body').value = chosen().body;
    check();
  }

  /** Says where the body is not JSON. It can still be sent, to see the refusal. */
  function check() {
    const fresh = withNewIds(chosen()?.path ?? '', $('try-body').value);
    $('fresh').disabled = fresh === $('try-body').value;
    try {
      JSON.parse($('try-body').value);
      say('try-problem', '');
    } catch (error) {
      // Auth0 can send one log a line.
      const lines = $('try-body').value.includes('}\n{');
      say('try-problem', lines ? '' : `Not JSON: ${error.message}`);
    }
  }

  const send = ({ path, contentType }, body) => ask('try', { method: 'POST', body: { path, contentType, body } });

  async function submit(event, asNew) {
    event?.preventDefault();
    // One at a time, so that the result is that of the last one.
    if (!chosen() || $('send').disabled) return;
    if (asNew) $('try-body').value = withNewIds(chosen().path, $('try-body').value);
    const body = $('try-body').value;
    $('send').disabled = true;
    try {
      const answer = await send(chosen(), body);
      ids = answer.ids ?? [];
      show(answer, body === last);
      last = body;
    } catch (error) {
      ids = [];
      $('try-result').replaceChildren(h('p.note.warn', {}, error.message));
    } finally {
      $('send').disabled = false;
    }
  }

  function show({ status, answer, reason, messages, ignored }, again) {
    if (reason) {
      const made = messages.map((message) => h('pre', {}, JSON.stringify(message, null, 2)));
      $('try-result').replaceChildren(h('p.note', {}, reason), ...made, ...ignored.map((why) => h('p.dim', {}, `No message: ${why}.`)));
      return;
    }
    const hint = again && h('p.dim', {}, 'The same id is the same message: Segment counts it once. To send another one, press “Send as new”.');
    $('try-result').replaceChildren(
      h('p.answer', {}, 'Segue answered ', h('b', { 'data-state': status < 300 ? 'delivered' : 'rejected' }, status), ' ', h('code', {}, answer)),
      h('ul.results', { 'aria-live': 'off' }, ids.map((id) => h('li', { 'data-id': id }, h('span.dim', {}, 'on its way …')))), hint || '');
    update(null);
  }

  function update(changed) {
    for (const item of $('try-result').querySelectorAll('[data-id]')) {
      const id = Number(item.dataset.id);
      const row = store.get(id);
      if (!row || (changed && !changed.has(id))) continue;
      const where = h('span.where');
      fillWhere(where, row);
      const name = h('button.linklike', { onclick: () => onOpen(id) }, [row.type, row.event ?? row.kind].filter(Boolean).join(' · '));
      const focused = item.contains(document.activeElement);
      item.replaceChildren(chip(row.state), row.times > 1 ? h('span.times', {}, `×${row.times}`) : '', name, where);
      if (focused) name.focus();
    }
  }

  $('sample').addEventListener('change', pick);
  $('try-body').addEventListener('input', check);
  $('restore').addEventListener('click', pick);
  $('fresh').addEventListener('click', () => submit(null, true));
  $('try-form').addEventListener('submit', submit);
  $('try-body').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
  });
  store.onChange(update);
  eachSecond(() => update(new Set(ids.filter((id) => store.get(id) && ticks(store.get(id))))));

  return {
    show: load,
    /** Warns before anything goes to the real Segment. */
    warn({ standIn, endpoint }) {
      $('try-warning').hidden = standIn;
      say('try-warning', `This goes to the real Segment at ${endpoint}, into the workspace of your write key.`);
      say('send', standIn ? 'Send' : 'Send to the real Segment');
    },
    /** Sends the chosen sample so many times, each with own ids. */
    async several(times) {
      await load();
      for (let sent = 0; sent < times; sent += 1) await send(chosen(), withNewIds(chosen().path, chosen().body));
    },
  };
}
