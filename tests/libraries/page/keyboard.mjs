// The keyboard reaches everything, and screen readers get names.
import assert from 'node:assert/strict';
import { call, counted, innocent, inState, open, scenario, until } from './harness.mjs';

const active = (page) => page.evaluate(() => {
  const grid = document.getElementById('grid');
  const row = document.getElementById(grid.getAttribute('aria-activedescendant'));
  return { focused: document.activeElement === grid, event: row?.querySelector('.event').textContent, selected: row?.ariaSelected };
});
/** The list draws the row that became active with its next frame. */
const drawn = (page) => until(page, () => document.getElementById(document.getElementById('grid').getAttribute('aria-activedescendant')));
const press = async (page, ...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};

await scenario(async (browser) => {
  const opened = await open(browser);
  const { page } = opened;
  for (let number = 1; number <= 60; number += 1) await call({ event: `Event ${number}`, messageId: `keys-${number}` });
  await counted(page, 60);
  await inState(page, 'Event 60', 'delivered');
  await press(page, 'j');
  assert.deepEqual(await active(page), { focused: true, event: 'Event 60', selected: 'true' });
  await press(page, 'j', 'ArrowDown', 'k');
  assert.equal((await active(page)).event, 'Event 59');
  await press(page, 'Enter');
  await until(page, () => document.getElementById('panel-title').textContent === 'Event 59');
  assert.ok((await active(page)).focused, 'the focus stays in the list');
  await press(page, 'j');
  await until(page, () => document.getElementById('panel-title').textContent === 'Event 58');
  await press(page, 'Escape');
  assert.equal(await page.$eval('#panel', ({ hidden }) => hidden), true);
  await press(page, 'End');
  await drawn(page);
  assert.equal((await active(page)).event, 'Event 1');
  assert.ok(await page.$eval('#grid', (grid) => {
    const row = document.getElementById(grid.getAttribute('aria-activedescendant')).getBoundingClientRect();
    const box = document.getElementById('scroller').getBoundingClientRect();
    return row.top >= box.top - 1 && row.bottom <= box.bottom + 1;
  }), 'the row is seen');
  await press(page, 'PageUp', 'Home');
  assert.equal((await active(page)).event, 'Event 60');

  await press(page, '/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
  await page.keyboard.type('jp?');
  assert.equal(await page.$eval('#text', ({ value }) => value), 'jp?', 'keys are letters where somebody types');
  await press(page, 'Escape');
  assert.ok((await active(page)).focused);
  await press(page, '/');
  await press(page, 'Backspace');
  await counted(page, 60);
  await press(page, 'Escape', 'p');
  await until(page, () => document.getElementById('pause').textContent === 'Resume');
  await press(page, 'p');
  await until(page, () => document.getElementById('pause').textContent === 'Pause');
  await press(page, '?');
  await until(page, () => document.getElementById('keys').open);
  await press(page, 'Escape');
  await until(page, () => !document.getElementById('keys').open);
  for (const [key, tool] of [['t', 'Try it'], ['f', 'Faults'], ['d', 'Dead letters'], ['c', 'Connect']]) {
    await press(page, key);
    await until(page, (title) => document.getElementById('panel-title').textContent === title && document.activeElement.id === 'panel-title', tool);
    await press(page, 'Escape');
    assert.equal(await page.$eval('#panel', ({ hidden }) => hidden), true, `Escape closes ${tool}`);
  }

  // Tab reaches everything in a sensible order, and the focus is visible.
  await page.click('h1');
  const order = [];
  for (let step = 0; step < 40; step += 1) {
    await press(page, 'Tab');
    const at = await page.evaluate(() => {
      const { id, dataset, localName } = document.activeElement;
      const style = getComputedStyle(document.activeElement);
      return { name: id || (dataset.tool ? `tool ${dataset.tool}` : dataset.state) || localName, outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 };
    });
    if (at.name === 'body' || order.includes(at.name)) break;
    assert.ok(at.outline, `${at.name} shows that it has the focus`);
    order.push(at.name);
  }
  for (const name of ['show-keys', 'tool try', 'tool faults', 'tool dead-letters', 'tool rejected', 'tool connect', 'text', 'user', 'type', 'source', 'pause', 'all', 'grid']) {
    assert.ok(order.includes(name), `${name} in ${order}`);
  }
  assert.ok(order.indexOf('text') < order.indexOf('pause') && order.indexOf('pause') < order.indexOf('grid'), String(order));

  // The tree for screen readers.
  const tree = await page.accessibility.snapshot({ interestingOnly: false });
  const found = [];
  (function walk(node) {
    found.push(`${node.role} ${node.name ?? ''}`.trim());
    node.children?.forEach(walk);
  })(tree);
  for (const wanted of ['grid Messages, newest first', 'columnheader State', 'button Pause', 'search', 'main', 'banner', 'navigation Tools']) {
    assert.ok(found.includes(wanted), `${wanted} in ${[...new Set(found)].join('; ')}`);
  }
  assert.ok(found.filter((line) => /^row\b/.test(line)).length > 5);
  assert.equal(await page.$eval('#grid', (grid) => grid.getAttribute('aria-rowcount')), '61');
  await innocent(opened);
});
