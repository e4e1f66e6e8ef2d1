// How to connect what sends events: the addresses to paste, with the steps.
import { $, h, say } from './dom.js';
import { setup } from './api.js';
import { copyField } from './copy.js';

const code = (text) => h('code', {}, text);

function fusionAuth(constants, { url, authenticated }) {
  return { name: 'FusionAuth', url, steps: [
    [h('b', {}, 'Settings → Webhooks → Add'), ': paste the URL.'],
    ['Enable ', code('user.create.complete'), ', ', code('user.update.complete'), ' and ', code('user.login.success'), ', there and at ', h('b', {}, 'Tenants → Edit → Webhooks'), '.'],
    [h('b', {}, 'Webhooks → Test'), ', or log in.', signing(constants, authenticated, ' Sign events with the key that Segue knows.')],
  ] };
}

function auth0(constants, { url, authenticated }, providers) {
  const action = providers.find(({ route }) => route === 'auth0/login');
  return { name: 'Auth0', url, steps: [
    [h('b', {}, 'Monitoring → Streams → Create → Custom Webhook'), ': paste the URL as payload URL.'],
    ['Filter by the categories Login, Logout, Signup and User/Behavioral.', signing(constants, authenticated, ' Authorization token: the one that Segue knows.')],
    ['Auth0 has to reach this address: through a tunnel while it is ', code(new URL(url).host), '.'],
  ], more: action && ['Or an Action at login: ', action.url] };
}

const signing = (constants, authenticated, sentence) => (authenticated ? sentence : constants.unsigned ? ' No signature is needed here.' : '');

function library(constants) {
  const key = constants.writeKey ?? 'YOUR_WRITE_KEY';
  return { name: 'Segment library', url: constants.url, label: 'host', steps: [
    ['Any library: the URL is its host, the write key is ', code(key), '.'],
    ['Node: ', code(`new Analytics({writeKey: '${key}', host: '${constants.url}'})`)],
    ['Browser: ', code(`apiHost: '${constants.url.replace(/^https?:\/\//, '')}/v1'`), ' as the setting of ', code('Segment.io'), '.'],
  ] };
}

function curl(constants) {
  const key = constants.writeKey ?? 'YOUR_WRITE_KEY';
  const command = `curl -u ${key}: ${constants.url}/v1/track -d '{"userId":"u1","event":"Signed Up"}'`;
  return { name: 'curl', url: command, label: 'command', steps: [
    ['Paste it into a terminal.'],
    ['It answers ', code('{"success":true}'), ': the message is in the queue.'],
    ['See it arrive here, and open it.'],
  ] };
}

function card({ name, url, label = 'URL', steps, more }) {
  return h('article.card', { 'data-connect': name }, h('h3', {}, name), copyField(url, `the ${label} for ${name}`),
    h('ol', {}, steps.map((step) => h('li', {}, step))),
    more && h('p.dim', {}, more[0], code(more[1])));
}

function cards(constants) {
  const { providers } = constants;
  const of = (route) => providers.find((provider) => provider.route === route);
  const made = [];
  if (of('fusionauth')) made.push(fusionAuth(constants, of('fusionauth')));
  if (of('auth0/logs')) made.push(auth0(constants, of('auth0/logs'), providers));
  made.push(library(constants), curl(constants));
  const others = providers.filter(({ route }) => route !== 'fusionauth' && !route.startsWith('auth0/logs'));
  return [h('div.cards', {}, made.map(card)),
    others.length > 0 && h('details.others', {}, h('summary', {}, `Others: ${others.map(({ name, route }) => (route.includes('/') ? `${name} (${route.split('/')[1]})` : name)).join(', ')}`),
      h('div.cards', {}, others.map(({ name, route, url }) => h('div', {}, h('h3', {}, name, ' ', h('span.dim', {}, route)), copyField(url, `the URL for ${route}`)))))];
}

function destinations(constants) {
  const segment = constants.standIn ? 'a stand-in for Segment' : `Segment at ${constants.endpoint}`;
  const webhooks = constants.webhooks.length ? constants.webhooks.join(', ') : 'webhooks with --webhook';
  return `${segment}, ${webhooks}`;
}

/** Fills the first screen and the tool. */
export async function showConnect() {
  const constants = await setup();
  say($('version'), `${constants.version} · ${constants.deployment}`);
  say($('flow-out'), destinations(constants));
  const known = JSON.stringify(constants);
  for (const place of [$('connect-first'), $('tool-connect')]) {
    if (place.dataset.known === known) continue;
    place.dataset.known = known;
    const lead = place.id === 'tool-connect' && h('p.dim', {}, `What comes in goes to ${destinations(constants)}.`);
    place.replaceChildren(...[lead, cards(constants)].flat().filter(Boolean));
  }
}
