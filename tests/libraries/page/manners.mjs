// The page is light, fast and strict about its loads, readable in both schemes and at each width, and each control has a
// name.
import assert from 'node:assert/strict';
import { api, base, call, click, counted, fusionAuth, innocent, inState, open, post, scenario, text, until, proof } from './harness.mjs';

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/** The texts with too little contrast: below 4.5, or 3 for large ones. */
function faint() {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = ([r, g, b, a], [red, green, blue]) => [r * a + red * (1 - a), g * a + green * (1 - a), b * a + blue * (1 - a), 1];
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), rgba(getComputedStyle(document.body).backgroundColor));
  };
  const luminance = (color) => {
    const [red, green, blue] = color.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const found = new Set();
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (element.closest('.unseen, option, :disabled, script')) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const [light, dark] = [luminance(over(rgba(style.color), ground)), luminance(ground)].sort((one, other) => other - one);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    texts += 1;
    if (ratio < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5)) {
      found.add(`${ratio.toFixed(2)} ${element.closest('[id]')?.id} ${element.className || element.localName}: ${walker.currentNode.textContent.trim().slice(0, 40)}`);
    }
  }
  return { texts, found: [...found] };
}

/** Controls without a name, duplicate ids, small controls, and horizontal overflow. */
async function faults(page) {
  const found = await page.evaluate(() => {
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id).filter(Boolean);
    return {
      twice: ids.filter((id, index) => ids.indexOf(id) !== index),
      wider: document.documentElement.scrollWidth > innerWidth ? document.documentElement.scrollWidth : 0,
      small: [...document.querySelectorAll('button, select, input, textarea')]
        .filter((control) => control.checkVisibility({ visibilityProperty: true }) && control.type !== 'radio' && Math.min(control.getBoundingClientRect().height, control.getBoundingClientRect().width) < 24)
        .map((control) => control.id || control.textContent),
    };
  });
  const unnamed = [];
  (function walk(node) {
    if (['button', 'textbox', 'searchbox', 'combobox', 'radio', 'img', 'link', 'progressbar'].includes(node.role) && !node.name) unnamed.push(node.role);
    node.children?.forEach(walk);
  })(await page.accessibility.snapshot());
  return { ...found, unnamed };
}

const NONE = { twice: [], wider: 0, small: [], unnamed: [] };

await scenario(async (browser) => {
  // The exact policy for each file of the page. Together the files have at most 100 KB, uncompressed.
  const opened = await open(browser);
  let bytes = 0;
  const paths = [...new Set(opened.requests.map((url) => new URL(url).pathname).filter((path) => !path.startsWith('/debugger/api/')))];
  for (const path of paths) {
    const answer = await fetch(base + path, { headers: proof });
    assert.equal(answer.headers.get('content-security-policy'), POLICY, path);
    bytes += (await answer.arrayBuffer()).byteLength;
  }
  assert.ok(paths.includes('/debugger/page/main.js') && paths.includes('/debugger/page/style.css'), String(paths));
  assert.ok(bytes <= 100 * 1024, `the page has ${bytes} bytes`);

  // The first paint, compared with an empty page of the same server. The best of some, since the machine is busy.
  const paint = async (path) => {
    const page = await browser.newPage();
    await page.goto(base + path, { waitUntil: 'load' });
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length, { polling: 20 });
    const time = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime);
    await page.close();
    return time;
  };
  const [paints, blanks] = [[], []];
  for (let turn = 0; turn < 5; turn += 1) {
    blanks.push(await paint('/health-of-nothing'));
    paints.push(await paint('/'));
  }
  const [first, blank] = [Math.min(...paints), Math.min(...blanks)];
  console.log(JSON.stringify({ bytes, firstPaint: first, blankPage: blank }));
  assert.ok(first < 200 || first < blank + 100, `first paint after ${first} ms, of a page with nothing on it after ${blank} ms`);

  // One message of each kind.
  await opened.page.bringToFront();
  await call({ event: 'Delivered', messageId: 'manners-1' });
  await call({ event: 'Refused', messageId: 'manners-2', properties: { webhook: 400 } });
  await call({ event: 'Away', messageId: 'manners-3', properties: { webhook: 503 } });
  await fusionAuth('manners-4', { type: 'user.password.breach' });
  await post('/identity/fusionauth', '{"event":');
  await counted(opened.page, 5);
  await inState(opened.page, 'Refused', 'dead letter');
  await inState(opened.page, 'Away', 'retrying');
  await innocent(opened);

  for (const scheme of ['light', 'dark']) {
    for (const [width, height] of [[360, 740], [768, 1024], [1280, 800], [2560, 1300]]) {
      const seen = await open(browser, { width, height, scheme });
      const { page } = seen;
      await counted(page, 5);
      const look = async (place) => {
        const { texts, found } = await page.evaluate(faint);
        assert.ok(texts > 40, `${texts} texts`);
        assert.deepEqual(found, [], `${scheme} ${width} ${place}`);
        assert.deepEqual(await faults(page), NONE, `${scheme} ${width} ${place}`);
      };
      await look('list');
      const ids = await page.$$eval('#rows .row:not([hidden])', (all) => all.map(({ id }) => id));
      for (const id of ids) {
        await page.$eval(`#${id}`, (row) => row.click());
        await until(page, () => /Received/.test(document.getElementById('tool-details').innerText) && document.getElementById('tool-details').innerText.includes('answered'));
        await look(`details of ${id}`);
      }
      for (const tool of ['try', 'faults', 'dead-letters', 'connect']) {
        await page.$eval(`[data-tool=${tool}]`, (button) => button.click());
        await until(page, (name) => document.getElementById(`tool-${name}`).checkVisibility(), tool);
        if (tool === 'dead-letters') await until(page, () => document.querySelector('#dead-list li'));
        if (tool === 'try') await until(page, () => document.getElementById('try-body').value);
        await look(tool);
      }
      await page.keyboard.press('Escape');
      await click(page, '#show-keys');
      await look('keys');
      await page.keyboard.press('Escape');
      await innocent(seen, { jumps: true });
      await page.close();
    }
  }

  // At 360 px the tools do not hide the newest message, and a message takes the whole screen.
  const narrow = await open(browser, { width: 360, height: 740 });
  await counted(narrow.page, 5);
  await click(narrow.page, '[data-tool=try]');
  assert.ok(await narrow.page.evaluate(() => document.querySelector('#rows .row').getBoundingClientRect().bottom <= document.getElementById('panel').getBoundingClientRect().top));
  await click(narrow.page, '#close');
  await click(narrow.page, '#more');
  await narrow.page.select('#source', 'fusionauth');
  await counted(narrow.page, 2);
  await click(narrow.page, '#rows .row');
  await until(narrow.page, () => document.getElementById('panel').getBoundingClientRect().height === innerHeight);
  await click(narrow.page, '#close');
  // At 2,560 px the list is beside the message, and its three parts are side by side.
  const wide = await open(browser, { width: 2560, height: 1300 });
  await counted(wide.page, 5);
  await click(wide.page, '#rows .row');
  await until(wide.page, () => document.querySelectorAll('.three > section').length === 3);
  const tops = await wide.page.$$eval('.three > section', (sections) => sections.map((section) => section.getBoundingClientRect().top));
  assert.equal(new Set(tops).size, 1);
  assert.ok(await wide.page.evaluate(() => document.getElementById('panel').getBoundingClientRect().left >= document.getElementById('messages').getBoundingClientRect().right - 1));
  assert.match(await text(wide.page, '#shown'), /^5 messages$/);
  assert.equal(await api('queues').then(({ webhooks }) => webhooks.deadLetters.length), 1);
});
