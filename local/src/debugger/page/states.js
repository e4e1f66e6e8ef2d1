// The states of a message, in words.
import { h } from './dom.js';

/** Each state with its meaning. */
export const STATES = {
  queued: 'Stored in the queue, before the first attempt.',
  retrying: 'An attempt failed. Segue retries with growing delays.',
  delivered: 'Every destination accepted it.',
  'dead-letter': 'A destination refused it permanently, or its retries ran out. Redrive or purge it.',
  dropped: 'Segment answers 200 and silently drops it.',
  ignored: 'Authentic, but it makes no message, or no destination takes it.',
  rejected: 'Refused. Bad messages of a batch are kept under Rejected.',
};

/** A state for people. */
export const stateName = (state) => state.replaceAll('-', ' ');

/** A state as a chip with its meaning. */
export function chip(state, text = stateName(state), title = STATES[state] ?? '') {
  return h('span.chip', { 'data-state': state, title }, text);
}

const ORDER = ['dead-letter', 'retrying', 'dropped', 'queued', 'delivered'];

/** Destinations, the worst state first. */
export const byConcern = (destinations) =>
  [...destinations].sort((one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state));

/** The states that a message counts in: its own, and each undelivered one of its destinations. */
export const statesOf = ({ state, destinations }) =>
  new Set([state, ...destinations.map((destination) => destination.state).filter((one) => one !== 'delivered')]);

/** The legend of the help dialog. */
export function legend(list) {
  list.replaceChildren(...Object.entries(STATES).map(([state, meaning]) =>
    h('div', {}, h('dt', {}, chip(state)), h('dd', {}, meaning))));
}

/** The queue's `failure` attribute in words. */
export const failureName = (failure) => String(failure).replaceAll(/[-_]/g, ' ');

/** The progress of retries. A message can wait without an own attempt while its destination keeps failing. */
export const tried = (attempts) => (attempts ? `attempt ${attempts} failed` : 'waiting, as the destination keeps failing');
