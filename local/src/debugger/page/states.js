// What can become of a message, in words.
import { h } from './dom.js';

/** Each state with what it means. */
export const STATES = {
  queued: 'Received, and stored in the queue. The first attempt is still to come.',
  retrying: 'An attempt failed. It stays in the queue and is tried again, later each time.',
  delivered: 'Every destination took it.',
  'dead-letter': 'Refused for good, or tried for too long. It lies in the dead-letter queue with the reason, until it is redriven or purged.',
  dropped: 'Segment answered 200 and drops it in silence.',
  ignored: 'Authentic, but no message is made of it, or no destination wants it.',
  rejected: 'Not taken. The reason says why, and so did the answer.',
};

/** A state as people read it. */
export const stateName = (state) => state.replaceAll('-', ' ');

/** A state as a chip that explains itself. */
export function chip(state, text = stateName(state), title = STATES[state] ?? '') {
  return h('span.chip', { 'data-state': state, title }, text);
}

const ORDER = ['dead-letter', 'retrying', 'dropped', 'queued', 'delivered'];

/** Destinations with those first that need a look. */
export const byConcern = (destinations) =>
  [...destinations].sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state));

/** The legend of the help. */
export function legend(list) {
  list.replaceChildren(...Object.entries(STATES).map(([state, meaning]) =>
    h('div', {}, h('dt', {}, chip(state)), h('dd', {}, meaning))));
}

/** What failed, as the queue's `failure` attribute has it, in words. */
export const failureName = (failure) => String(failure).replaceAll(/[-_]/g, ' ');

/** How far retrying is. A message for a destination that keeps failing can wait without an attempt of its own. */
export const tried = (attempts) => (attempts ? `attempt ${attempts} failed` : 'waits, as the destination keeps failing');
