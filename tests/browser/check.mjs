// Looks at reports as a person does: `check.mjs FOLDER SCREENSHOTS`, where FOLDER has shop.html, never.html and many.html.
// Every finding is told; any of them ends it with 1.

import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [, , folder, screenshots] = process.argv;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
mkdirSync(screenshots, { recursive: true });

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
let nChecks = 0;
let nFailed = 0;

function check(name, holds, detail = '') {
  nChecks += 1;
  if (holds) return;
  nFailed += 1;
  console.error(`✗ ${name}${detail === '' ? '' : `: ${typeof detail === 'string' ? detail : JSON.stringify(detail)}`}`);
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

/** Opens a report; whatever it says, asks for or pops up afterwards is a finding. */
async function open(name, file, options, work) {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const url = pathToFileURL(`${folder}/${file}`).href;
  const said = [];
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => said.push(error.message));
  page.on('dialog', (dialog) => { said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => {
    if (request.url() !== url && !request.url().startsWith('data:')) said.push(`asks for ${request.url()}`);
  });
  await page.goto(url);
  try {
    await work(page, said);
  } catch (error) {
    check(`${name}: runs to its end`, false, String(error));
  }
  check(`${name}: no message, no error, no request`, said.length === 0, said);
  await context.close();
}

async function accessible(name, page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  const told = violations.map((one) => `${one.id} (${one.nodes.length}): ${one.nodes[0].html.slice(0, 200)} ${one.nodes[0].any[0]?.message ?? ''}`);
  check(`${name}: accessible`, violations.length === 0, told.join('\n    '));
}

async function fits(name, page) {
  const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  check(`${name}: nothing makes the page scroll sideways`, content <= room, `${content} > ${room}`);
}

const openAll = (page) => page.evaluate(() => {
  for (const details of document.querySelectorAll('details')) details.open = true;
  for (const table of document.querySelectorAll('.table')) table.style.contentVisibility = 'visible';
});

// How it looks: both widths, both modes, folded and unfolded.
for (const [size, viewport] of [['desktop', DESKTOP], ['phone', PHONE]]) {
  for (const colorScheme of ['light', 'dark']) {
    const name = `shop, ${size}, ${colorScheme}`;
    await open(name, 'shop.html', { viewport, colorScheme, hasTouch: size === 'phone' }, async (page) => {
      await page.screenshot({ path: `${screenshots}/shop-${size}-${colorScheme}.png` });
      await fits(name, page);
      await accessible(name, page);
      await openAll(page);
      await fits(`${name}, unfolded`, page);
      await accessible(`${name}, unfolded`, page);
      await page.screenshot({ path: `${screenshots}/shop-${size}-${colorScheme}-unfolded.png`, fullPage: true });
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const brightness = background.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
      check(`${name}: follows the system's mode`, colorScheme === 'light' ? brightness > 200 : brightness < 60, background);
    });
  }
}

// Nothing in names and values is markup, and personal values are not there.
await open('injection', 'shop.html', {}, async (page) => {
  await openAll(page);
  check('injection: nothing ran', await page.evaluate(() => window.hacked === undefined));
  check('injection: no element of theirs', await page.evaluate(() => document.querySelectorAll('img, body script:not([nonce]), [onerror], [onmouseover]').length) === 0);
  const text = await page.evaluate(() => document.body.textContent);
  check('injection: told as text', text.includes('<script>window.hacked = 1</script>') && text.includes('{{ 7 * 7 }}'));
  check('injection: no character turns the text around', !/[\u202a-\u202e\u2066-\u2069]/.test(text) && text.includes('⟨U+202E⟩'));
  const source = readFileSync(`${folder}/shop.html`, 'utf8');
  check('personal values are masked', !/secret\d/.test(source) && text.includes('masked'));
  check('no address of the network in the file', !/(?:src|href|action)\s*=\s*["']?(?:https?:)?\/\//i.test(source));
});
await (async () => {
  const page = await browser.newPage();
  await page.goto(pathToFileURL(`${folder}/shop.html`).href);
  await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.hole = 1"><a id="trap" href="javascript:window.hole = 1">x</a>'));
  await page.evaluate(() => document.getElementById('trap').click());
  await page.waitForTimeout(200);
  check('the policy stops scripts that are not its own', await page.evaluate(() => window.hole === undefined));
  await page.close();
})();

// By keyboard alone.
await open('keyboard', 'shop.html', {}, async (page) => {
  const focused = (read) => page.evaluate(read);
  await page.keyboard.press('Tab');
  check('keyboard: the first stop skips to the report', await focused(() => document.activeElement.className === 'skip' && document.activeElement.getBoundingClientRect().top >= 0));
  await page.keyboard.press('Enter');
  check('keyboard: skipping leads to the report', await focused(() => document.activeElement.id === 'main'));

  await page.reload();
  const stops = new Set();
  let invisible = 0;
  let backwards = 0;
  let place = -1;
  for (let step = 0; step < 200; step += 1) {
    await page.keyboard.press('Tab');
    const stop = await focused(() => {
      const at = document.activeElement;
      if (at === document.body) return null;
      const style = getComputedStyle(at);
      const box = at.querySelector?.('.box');
      const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
      return {
        place: [...document.querySelectorAll('*')].indexOf(at),
        what: at.id || at.getAttribute('href') || at.getAttribute('aria-label') || at.textContent.trim().slice(0, 30),
        visible: seen || (box && parseFloat(getComputedStyle(box).strokeWidth) > 3),
      };
    });
    if (stop === null) break;
    stops.add(stop.what);
    if (!stop.visible) { invisible += 1; check('keyboard: focus is seen', false, stop.what); }
    if (stop.place < place) backwards += 1;
    place = stop.place;
  }
  check('keyboard: stops at the links, the theme, the filter and the lineage', ['theme', 'filter', 'only-broken', 'expand', '#tables', '#table-silver.orders'].every((what) => stops.has(what)), [...stops]);
  check('keyboard: goes on in the order of the page', backwards === 0 && invisible === 0, `${backwards} back`);

  await page.focus('[id="table-silver.orders"] > summary');
  await page.keyboard.press('Enter');
  check('keyboard: Enter unfolds a table', await focused(() => document.getElementById('table-silver.orders').open));
  await page.keyboard.press('Space');
  check('keyboard: Space folds it', await focused(() => !document.getElementById('table-silver.orders').open));

  await page.focus('#broken .finding a[href="#table-silver.orders"]');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.getElementById('table-silver.orders').open);
  check('keyboard: a link unfolds what it leads to and goes there', await focused(() => document.activeElement === document.querySelector('[id="table-silver.orders"] > summary')));

  await page.focus('#filter');
  await page.keyboard.type('PAID');
  check('keyboard: the filter finds', await focused(() => document.querySelectorAll('details.table:not([hidden])').length) === 1);
  check('keyboard: the filter says how many', (await page.textContent('#filtered')) === '1 of 5 tables');
  await page.keyboard.press('Escape');
  check('keyboard: Escape clears the filter', await focused(() => document.querySelectorAll('details.table:not([hidden])').length) === 5);
  await page.focus('#only-broken');
  await page.keyboard.press('Space');
  check('keyboard: only what is broken', await focused(() => [...document.querySelectorAll('details.table:not([hidden])')].every((table) => 'broken' in table.dataset)));

  await page.focus('#theme');
  const background = () => focused(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  check('keyboard: the theme changes', (await background()) !== light && (await page.textContent('#theme-name')) === 'dark');
  await accessible('chosen dark theme on a light system', page);
});

// Without scripts, on paper, and for those whom motion troubles.
await open('no scripts', 'shop.html', { javaScriptEnabled: false }, async (page) => {
  check('no scripts: the report is there', await page.locator('#tables details.table').count() === 5);
  check('no scripts: what needs them is not', !(await page.locator('#theme').isVisible()) && !(await page.locator('#tools').isVisible()));
});
await open('print', 'shop.html', { colorScheme: 'light' }, async (page) => {
  await page.emulateMedia({ media: 'print' });
  check('print: without navigation', !(await page.locator('.sections').isVisible()) && !(await page.locator('#theme').isVisible()));
  await page.pdf({ path: `${screenshots}/shop.pdf`, format: 'A4' });
});
await open('reduced motion', 'shop.html', { reducedMotion: 'reduce' }, async (page) => {
  check('reduced motion: none', await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior === 'auto'
    && getComputedStyle(document.querySelector('summary'), '::before').transitionDuration === '0s'));
});

// A project that never ran says what to do.
await open('never run', 'never.html', {}, async (page) => {
  const verdict = await page.textContent('.verdict');
  check('never run: says what to do', verdict.includes('No table was built yet') && verdict.includes('medc apply'), verdict);
  await fits('never run', page);
  await accessible('never run', page);
  await page.screenshot({ path: `${screenshots}/never.png` });
});

// A thousand tables stay usable.
const size = statSync(`${folder}/many.html`).size;
check('many tables: below 10 MB', size < 10e6, `${size} bytes`);
for (const [name, viewport] of [['desktop', DESKTOP], ['phone', PHONE]]) {
  await open(`many tables, ${name}`, 'many.html', { viewport }, async (page) => {
    const loaded = await page.evaluate(() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd);
    check(`many tables, ${name}: is there within 15 s`, loaded < 15_000, `${loaded} ms`);
    await fits(`many tables, ${name}`, page);
    const started = Date.now();
    await page.fill('#filter', 't0042');
    check(`many tables, ${name}: the filter answers within 3 s`, Date.now() - started < 3000, `${Date.now() - started} ms`);
    check(`many tables, ${name}: the filter finds`, await page.evaluate(() => document.querySelectorAll('details.table:not([hidden])').length) === 2);
    await page.click('[id="table-gold.t0042"] > summary');
    await page.screenshot({ path: `${screenshots}/many-${name}.png` });
  });
}

await browser.close();
console.log(`${nChecks - nFailed} of ${nChecks} checks of the report in Chromium hold`);
process.exit(nFailed === 0 ? 0 : 1);
