// How to connect what sends events: the addresses to paste, with the steps.
import { $, h, say } from './dom.js';
import { setup } from './api.js';
import { copyField } from './copy.js';

/** Text in which `this` is code and *this* is bold. */
const rich = (text) => text.split(/(`[^`]*`|\*[^*]*\*)/).map((part) => {
  const inner = part.slice(1, -1);
  return part.startsWith('`') ? h('code', {}, inner) : part.startsWith('*') ? h('b', {}, inner) : part;
});

/** What is to be done for each source, with what is to be pasted. */
function sources({ url, writeKey, unsigned, providers }) {
  const key = writeKey ?? 'YOUR_WRITE_KEY';
  const host = url.replace(/^https?:\/\//, '');
  const proof = ({ authenticated, route }, how) => (authenticated ? how : unsigned ? 'No signature is needed here.'
    : `It is refused until Segue knows its proof: \`segue secret add ${route.split('/')[0]}\`.`);
  const of = (route) => providers.find((provider) => provider.route === route);
  const [fusionAuth, auth0, login] = ['fusionauth', 'auth0/logs', 'auth0/login'].map(of);
  return [
    fusionAuth && { name: 'FusionAuth', paste: fusionAuth.url, steps: [
      '*Settings → Webhooks → Add*: paste the URL.',
      'Enable `user.create.complete`, `user.update.complete` and `user.login.success`, there and at *Tenants → Edit → Webhooks*.',
      `*Webhooks → Test*, or log in. ${proof(fusionAuth, 'Sign events with the key that Segue knows.')}`,
    ] },
    auth0 && { name: 'Auth0', paste: auth0.url, steps: [
      '*Monitoring → Streams → Create → Custom Webhook*: paste the URL as payload URL.',
      `Filter by the categories Login, Logout, Signup and User/Behavioral. ${proof(auth0, 'Authorization token: the one that Segue knows.')}`,
      `Auth0 has to reach this address: through a tunnel while it is \`${host}\`, with \`--public-host\` or a proof.`,
    ], more: login && `Or an Action at login: \`${login.url}\`` },
    { name: 'Segment library', what: 'host', paste: url, steps: [
      `Any library: the URL is its host, the write key is \`${key}\`.`,
      `Node: \`new Analytics({writeKey: '${key}', host: '${url}'})\``,
      `Browser: \`apiHost: '${host}/v1', protocol: 'http'\` for \`Segment.io\`.`,
    ] },
    { name: 'curl', what: 'command', paste: `curl -u ${key}: ${url}/v1/track -d '{"userId":"u1","event":"Signed Up"}'`, steps: [
      'Paste it into a terminal.',
      'It answers `{"success":true}`: the message is in the queue.',
      'See it arrive here, and open it.',
    ] },
  ].filter(Boolean);
}

function card({ name, what = 'URL', paste, steps, more }) {
  return h('article.card', { 'data-connect': name }, h('h3', {}, name), copyField(paste, `the ${what} for ${name}`),
    h('ol', {}, steps.map((step) => h('li', {}, rich(step)))), more && h('p.dim', {}, rich(more)));
}

function cards(constants) {
  const others = constants.providers.filter(({ route }) => route !== 'fusionauth' && route !== 'auth0/logs');
  const names = [...new Set(others.map(({ name }) => name))].join(', ');
  return [h('div.cards', {}, sources(constants).map(card)),
    others.length > 0 && h('details.others', {}, h('summary', {}, `Other addresses: ${names}`), h('div.cards', {},
      others.map(({ name, route, url }) => h('div', {}, h('h3', {}, `${name} `, h('span.dim', {}, route)), copyField(url, `the URL for ${route}`)))))];
}

function destinations(constants) {
  const segment = constants.standIn ? 'a stand-in for Segment (let it fail: Faults)' : `Segment at ${constants.endpoint}`;
  const webhooks = constants.webhooks.length ? constants.webhooks.join(', ') : 'webhooks with --webhook';
  return `${segment}, ${webhooks}`;
}

/** Fills the first screen and the tool. */
export async function showConnect() {
  const constants = await setup();
  say('version', constants.version);
  $('version').title = constants.deployment;
  say('flow-out', destinations(constants));
  const known = JSON.stringify(constants);
  for (const place of [$('connect-first'), $('tool-connect')]) {
    if (place.dataset.known === known) continue;
    place.dataset.known = known;
    const lead = place.id === 'tool-connect' && h('p.dim', {}, `What comes in goes to ${destinations(constants)}.`);
    place.replaceChildren(...[lead, cards(constants)].flat().filter(Boolean));
  }
}
