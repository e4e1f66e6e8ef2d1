// How to connect senders: the URLs to paste, and the steps.
import { $, h, say } from './dom.js';
import { setup } from './api.js';
import { copyField } from './copy.js';

/** Text in which `this` is code and *this* is bold. */
const rich = (text) => text.split(/(`[^`]*`|\*[^*]*\*)/).map((part) => {
  const inner = part.slice(1, -1);
  return part.startsWith('`') ? h('code', {}, inner) : part.startsWith('*') ? h('b', {}, inner) : part;
});

/** The steps for each source, with the text to paste. */
function sources({ url, writeKey, unsigned, providers }) {
  const key = writeKey ?? 'YOUR_WRITE_KEY';
  const host = url.replace(/^https?:\/\//, '');
  const proof = ({ authenticated, route }, how) => (authenticated ? how : unsigned ? 'No signature is needed here.'
    : `Segue refuses it until you run \`segue secret add ${route.split('/')[0]}\`.`);
  const of = (route) => providers.find((provider) => provider.route === route);
  const [fusionAuth, auth0] = ['fusionauth', 'auth0/logs'].map(of);
  return [
    fusionAuth && { name: 'FusionAuth', paste: fusionAuth.url, steps: [
      '*Settings > Webhooks > Add*: paste the URL.',
      'Enable `user.create.complete`, `user.update.complete` and `user.login.success`, there and under *Tenants > Edit > Webhooks*.',
      `*Webhooks > Test*, or log in. ${proof(fusionAuth, 'Sign events with the key in `IDENTITY_SECRET` or `FUSIONAUTH_SIGNING_SECRET`.')}`,
    ] },
    auth0 && { name: 'Auth0', paste: auth0.url, steps: [
      '*Monitoring > Streams > Create > Custom Webhook*: paste the payload URL.',
      `Filter by the categories Login, Logout, Signup and User/Behavioral. ${proof(auth0, 'The authorization token is the one in `IDENTITY_SECRET`.')}`,
      `Auth0 must reach this address. For \`${host}\` that takes a tunnel, and \`--public-host\` or a token.`,
    ] },
    { name: 'Segment library', what: 'host', paste: url, steps: [
      `Any library: the URL is its host, the write key is \`${key}\`.`,
      `Node: \`new Analytics({writeKey: '${key}', host: '${url}'})\``,
      `Browser: \`apiHost: '${host}/v1', protocol: 'http'\` for \`Segment.io\`.`,
    ] },
    { name: 'curl', what: 'command', paste: `curl -u ${key}: ${url}/v1/track -d '{"userId":"u1","event":"Signed Up"}'`, steps: [
      'Paste it into a terminal.',
      'It answers `{"success":true}`: the message is in the queue.',
      'The message appears here. Open it.',
    ] },
  ].filter(Boolean);
}

function card({ name, what = 'URL', paste, steps }) {
  return h('article.card', { 'data-connect': name }, h('h3', {}, name), copyField(paste, `the ${what} for ${name}`),
    h('ol', {}, steps.map((step) => h('li', {}, rich(step)))));
}

function cards(constants) {
  const others = constants.providers.filter(({ route }) => route !== 'fusionauth' && route !== 'auth0/logs');
  return [h('div.cards', {}, sources(constants).map(card)), others.length > 0 && h('div.cards.others', {},
    others.map(({ name, route, url }) => h('div', {}, h('h3', {}, `${name} `, h('span.dim', {}, route)), copyField(url, `the URL for ${route}`))))];
}

function destinations(constants) {
  const segment = constants.standIn ? 'the stand-in (a fake Segment built into Segue)' : `Segment at ${constants.endpoint}`;
  return new Intl.ListFormat('en').format([segment, ...constants.webhooks]);
}

/** Fills the first screen and the Connect tool. */
export async function showConnect() {
  const constants = await setup();
  say('version', constants.version);
  $('version').title = constants.deployment;
  say('flow-out', destinations(constants));
  const known = JSON.stringify(constants);
  for (const place of [$('connect-first'), $('tool-connect')]) {
    if (place.dataset.known === known) continue;
    place.dataset.known = known;
    const lead = place.id === 'tool-connect' && h('p.dim', {}, `Messages go to ${destinations(constants)}.${constants.webhooks.length ? '' : ' Add your own webhook with --webhook.'}${constants.standIn ? ' To simulate an outage, open Faults.' : ''}`);
    place.replaceChildren(...[lead, cards(constants)].flat().filter(Boolean));
  }
}
