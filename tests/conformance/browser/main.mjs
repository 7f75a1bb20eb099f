// SPDX-License-Identifier: Apache-2.0
// Two people chat on the demo page of a node of four shards; what they see is looked at.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { Node } from '../support/node.mjs';
import { Report, WAIT_MS_MAX, check, check_equal, eventually } from '../support/report.mjs';
import { add_fallbacks } from './fallbacks.mjs';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-dev-shm-usage'];
// SCREENSHOTS names a folder for pictures of what was tested.
const { SCREENSHOTS } = process.env;

const SHARDS = 4;
const DEV = { flags: ['--dev'], shards: SHARDS };

function start_dev(options = {}) {
  return Node.start({}, { ...DEV, ...options }).then((node) => {
    node.api_key = 'dev-api-key';
    return node;
  });
}

// A page of its own browser context, with all that went wrong in it.
class Visitor {
  errors = [];
  foreign = [];

  static async open(context, browser, node, options = {}) {
    const visitor = new Visitor();
    visitor.context = await browser.newContext({ viewport: { width: 1100, height: 800 },
      ...options });
    visitor.context.setDefaultTimeout(WAIT_MS_MAX);
    context.defer(() => visitor.context.close());
    const page = await visitor.context.newPage();
    visitor.page = page;
    const local = `//127.0.0.1:${node.port}/`;
    const look = (url) => {
      if (!/^(data|blob):/.test(url) && !url.includes(local)) {
        visitor.foreign.push(url);
      }
    };
    page.on('request', (request) => look(request.url()));
    page.on('websocket', (socket) => look(socket.url()));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) {
        visitor.errors.push(message.text());
      }
    });
    page.on('pageerror', (error) => visitor.errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${node.port}/`);
    await visitor.sees_status('connected');
    return visitor;
  }

  async sees_status(status) {
    await eventually(async () => (await this.page.locator('#status').innerText()) === status,
      `the status "${status}"`);
  }

  async named(nick) {
    await this.page.locator('#nick').fill(nick);
    await this.page.locator('#nick').press('Tab');
    return this;
  }

  async says(text) {
    await this.page.locator('#message').fill(text);
    await this.page.locator('#send').click();
    await eventually(async () => (await this.page.locator('#message').inputValue()) === '',
      'the message field to be empty');
  }

  // The messages that can be seen, as [who, text].
  async messages() {
    const items = this.page.locator('#messages li');
    return items.evaluateAll((all) => all.map((item) => [
      item.querySelector('.who').innerText, item.querySelector('.text').innerText]));
  }

  async sees(who, text) {
    const item = this.page.locator('#messages li').filter({ hasText: text }).last();
    await item.waitFor({ state: 'visible', timeout: WAIT_MS_MAX });
    check_equal(await item.locator('.who').innerText(), who, `who said "${text}"`);
    check_equal(await item.locator('.text').innerText(), text, 'the text');
    const box = await item.boundingBox();
    const list = await this.page.locator('#messages').boundingBox();
    check(box.height > 10 && box.y + box.height <= list.y + list.height + 2
      && box.y >= list.y - 2, `"${text}" is outside of what is shown`);
  }

  async sees_members(names) {
    await eventually(async () => {
      const shown = await this.page.locator('#members li .name').allInnerTexts();
      check_equal(shown.map((name) => name.trim()).sort(), [...names].sort(), 'the members');
      return true;
    }, `the members ${names}`);
    check_equal(await this.page.locator('#count').innerText(), String(names.length), 'the count');
  }

  async shot(name) {
    if (SCREENSHOTS) {
      await this.page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), fullPage: true });
    }
  }

  check_clean() {
    check_equal(this.errors, [], 'errors in the console');
    check_equal(this.foreign, [], 'requests that leave the machine');
  }
}

function add_chat(report, browser, node) {
  report.test('two pages chat', async (context) => {
    const ann = await (await Visitor.open(context, browser, node)).named('Ann');
    const bob = await (await Visitor.open(context, browser, node)).named('Bob');
    await ann.sees_members(['Ann', 'Bob']);
    await bob.sees_members(['Ann', 'Bob']);
    await ann.says('Good morning, Bob ❤');
    await bob.sees('Ann', 'Good morning, Bob ❤');
    await ann.sees('Ann', 'Good morning, Bob ❤');
    await bob.says('<b>not bold</b> & <script>alert(1)</script>');
    await ann.sees('Bob', '<b>not bold</b> & <script>alert(1)</script>');
    await ann.shot('chat');
    for (let i = 0; i < 30; i += 1) {
      await (i % 2 ? ann : bob).says(`line ${i}`);
    }
    await ann.sees('Ann', 'line 29');
    await bob.sees('Ann', 'line 29');
    const lines = (await bob.messages()).map(([, text]) => text).filter((text) => /^line/.test(text));
    check_equal(lines, Array.from({ length: 30 }, (_, i) => `line ${i}`), 'the lines in order');
    await bob.context.close();
    await ann.sees_members(['Ann']);
    ann.check_clean();
    bob.check_clean();
  });
  report.test('a backend publishes into the page', async (context) => {
    const ann = await Visitor.open(context, browser, node);
    const shown = await ann.page.locator('#curl').innerText();
    check(shown.includes('/api/publish'), 'the page shows no command to publish');
    const { status } = await node.request('POST', '/api/publish', {
      headers: { 'X-API-Key': 'dev-api-key' },
      body: JSON.stringify({ channel: 'chat:lobby', data: { text: 'from a terminal' } }) });
    check_equal(status, 200, 'the status of the call');
    await ann.sees('server', 'from a terminal');
    ann.check_clean();
  });
  report.test('rooms are apart', async (context) => {
    const ann = await (await Visitor.open(context, browser, node)).named('Ann');
    const bob = await (await Visitor.open(context, browser, node)).named('Bob');
    await ann.page.getByRole('button', { name: 'attic' }).click();
    await ann.sees_members(['Ann']);
    await bob.sees_members(['Bob']);
    await bob.says('is anybody in the lobby?');
    await ann.says('it is dusty here');
    await bob.page.getByRole('button', { name: 'attic' }).click();
    await bob.sees_members(['Ann', 'Bob']);
    await ann.says('now you hear me');
    await bob.sees('Ann', 'now you hear me');
    check_equal((await ann.messages()).map(([, text]) => text),
      ['it is dusty here', 'now you hear me'], 'what Ann sees');
    ann.check_clean();
  });
}

function add_shards(report, browser, node) {
  report.test('the shards are shown with what they do', async (context) => {
    const ann = await Visitor.open(context, browser, node);
    const rows = ann.page.locator('#shards tbody tr');
    await eventually(async () => (await rows.count()) === SHARDS + 1, 'a row for each shard');
    const total = async () => {
      const cells = await ann.page.locator('#shards tbody tr td:nth-child(2)').allInnerTexts();
      return cells.reduce((sum, text) => sum + (Number(text) || 0), 0);
    };
    await eventually(async () => (await total()) >= 1, 'the connection of the page');
    const others = await Promise.all(Array.from({ length: 5 },
      () => Visitor.open(context, browser, node)));
    await eventually(async () => (await total()) >= 6, 'six connections in the table');
    await others[0].says('hello shards');
    await ann.shot('shards');
    ann.check_clean();
  });
}

function add_looks(report, browser, node) {
  for (const [name, width, height] of [['a phone', 360, 740], ['a small phone', 320, 568],
    ['a tablet', 768, 1024], ['a wide screen', 1920, 1080]]) {
    report.test(`${name}: nothing is wider than the screen`, async (context) => {
      const ann = await (await Visitor.open(context, browser, node,
        { viewport: { width, height }, isMobile: width < 500, hasTouch: width < 500 })).named('Ann');
      await ann.says(`${'verylongword'.repeat(40)} and ${'more words '.repeat(30)}`);
      await ann.says('short');
      await ann.sees('Ann', 'short');
      const widths = await ann.page.evaluate(() => [document.documentElement.scrollWidth,
        document.documentElement.clientWidth]);
      check(widths[0] <= widths[1], `the page is ${widths[0]} wide on a screen of ${widths[1]}`);
      for (const id of ['#send', '#message', '#nick', '#status', '#shards']) {
        const box = await ann.page.locator(id).boundingBox();
        check(box !== null && box.width > 0, `${id} is not to be seen`);
        check(id === '#shards' || (box.x >= 0 && box.x + box.width <= width + 1),
          `${id} sticks out: ${JSON.stringify(box)}`);
      }
      const send = await ann.page.locator('#send').boundingBox();
      check(width >= 500 || send.height >= 32, `the button is ${send.height} px high`);
      await ann.shot(name.replaceAll(' ', '-'));
      ann.check_clean();
    });
  }
  for (const scheme of ['light', 'dark']) {
    report.test(`${scheme} mode: text stands out from its ground`, async (context) => {
      const ann = await (await Visitor.open(context, browser, node,
        { colorScheme: scheme })).named('Ann');
      await ann.says('can you read this?');
      await ann.sees('Ann', 'can you read this?');
      const ground = await ann.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      check((luminance(ground) < 0.2) === (scheme === 'dark'), `the ground is ${ground}`);
      for (const selector of ['#messages li .text', '#messages li .who', '#status', 'h2',
        '#members li .name', '#shards th', '#send', '#curl']) {
        const [front, back] = await ann.page.locator(selector).first().evaluate(colours_of);
        const ratio = contrast(front, back);
        check(ratio >= 4.5, `${selector}: ${front} on ${back} is a contrast of ${ratio.toFixed(2)}`);
      }
      await ann.shot(scheme);
      ann.check_clean();
    });
  }
}

// In the page: the colour of an element's text, and of what is painted below it.
function colours_of(element) {
  let ground = element;
  const is_clear = (colour) => /, 0\)$/.test(colour) || colour === 'transparent';
  while (ground.parentElement && is_clear(getComputedStyle(ground).backgroundColor)) {
    ground = ground.parentElement;
  }
  // Whatever notation the style sheet uses, a canvas tells it in numbers.
  const canvas = document.createElement('canvas');
  canvas.width = 1;
  canvas.height = 1;
  const paint = canvas.getContext('2d', { willReadFrequently: true });
  const numbers = (colour) => {
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    const [red, green, blue] = paint.getImageData(0, 0, 1, 1).data;
    return `rgb(${red}, ${green}, ${blue})`;
  };
  return [numbers(getComputedStyle(element).color),
    numbers(getComputedStyle(ground).backgroundColor)];
}

// WCAG 2.1, relative luminance and contrast ratio.
function luminance(colour) {
  const [red, green, blue] = colour.match(/[\d.]+/g).slice(0, 3).map((one) => {
    const value = Number(one) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, two) {
  const [dark, light] = [luminance(one), luminance(two)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function add_restart(report, browser) {
  report.test('the pages come back after the node restarts', async (context) => {
    const first = await start_dev();
    const ann = await (await Visitor.open(context, browser, first)).named('Ann');
    const bob = await (await Visitor.open(context, browser, first)).named('Bob');
    await ann.says('before');
    await bob.sees('Ann', 'before');
    await first.stop_cleanly();
    await eventually(async () => (await ann.page.locator('#status').innerText()) !== 'connected',
      'a status that tells it');
    const second = await start_dev({ port: first.port });
    context.defer(() => second.stop_cleanly());
    await ann.sees_status('connected');
    await bob.sees_status('connected');
    await bob.sees_members(['Ann', 'Bob']);
    await bob.says('after');
    await ann.sees('Bob', 'after');
    check_equal(ann.foreign, [], 'requests that leave the machine');
  });
}

function add_keyboard(report, browser, node) {
  report.test('the chat works without a mouse', async (context) => {
    const ann = await Visitor.open(context, browser, node);
    await ann.page.keyboard.press('Tab');
    await ann.page.keyboard.press('Enter');
    await eventually(() => ann.page.evaluate(() => document.activeElement.id === 'message'),
      'the message field to have the focus');
    await ann.page.keyboard.type('typed only');
    await ann.page.keyboard.press('Enter');
    await ann.sees(await ann.page.locator('#nick').inputValue(), 'typed only');
    ann.check_clean();
  });
}

const report = new Report();
const executablePath = process.env.CHROMIUM ?? BROWSERS.find((one) => existsSync(one));
check(executablePath, `none of ${BROWSERS} is there`);
const folder = mkdtempSync(path.join(os.tmpdir(), 'roost-browser-'));
const browser = await chromium.launch({ executablePath, args: FLAGS, env: {
  ...process.env, HOME: folder } });
const node = await start_dev();
add_chat(report, browser, node);
add_shards(report, browser, node);
add_looks(report, browser, node);
add_keyboard(report, browser, node);
add_restart(report, browser);
add_fallbacks(report, browser);
await report.run();
await browser.close();
rmSync(folder, { recursive: true, force: true });
report.test('the node of the pages ends well', () => node.stop_cleanly());
await report.run();
report.exit();
