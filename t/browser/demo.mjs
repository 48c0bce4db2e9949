// SPDX-License-Identifier: Apache-2.0
// The whole demonstration in Chromium: each person at each provider, every page looked at by axe-core (WCAG 2.2 A and AA),
// photographed wide and on a phone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { run, test } from './tap.mjs';

const { EH_URL: url, EH_CHROMIUM: chrome, EH_SCREENSHOTS: pictures, EH_NODE_MODULES: modules } = process.env;
const require = createRequire(`${modules}/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const browser = await chromium.launch({
  executablePath: chrome, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
});

const PROVIDER = { psc: 'Pro Santé Connect', iam: 'I.AM Connect' };
const WHO = {
  helene: 'Hélène Lefèvre-Noël', zoe: 'Zoë D’Haese-Özdemir', chloe: 'Chloé Amélineau', maelys: 'Maëlys Dœuff-Åström',
  francois: 'François Maës', nuria: 'Núria Peña Straße',
};

// What the portal shows that it was told, by hand from t/demo/op/people.json.
const ADMITTED = [
  ['psc', 'helene', ['899700001011', 'rpps:99700001011', 'Hélène Lefèvre-Noël', 'Hélène', 'Lefèvre-Noël',
    'physician,professional', 'finess:990000101,siret:99900000100019,siren:999000001,structure:F990000101', 'st-jean',
    'eidas1', 'psc']],
  ['psc', 'maelys', ['899700004049', 'rpps:99700004049', 'Maëlys Dœuff-Åström', 'Maëlys', 'Dœuff-Åström',
    'nurse,professional', 'finess:990000101,siret:99900000100019,siren:999000001,structure:F990000101', 'st-jean',
    'eidas1', 'psc']],
  ['iam', 'helene', ['80010190177', 'ssin:80010190177', 'Hélène Lefèvre-Noël', 'Hélène', 'Lefèvre-Noël',
    'physician,professional', 'nihii11:19900143004,nihii:71099020', 'st-jean', '(absent)', 'iam']],
  ['iam', 'maelys', ['90030390444', 'ssin:90030390444', 'Maëlys Dœuff-Åström', 'Maëlys', 'Dœuff-Åström',
    'nurse,professional', 'nihii11:49900164401,nihii:71099020', 'st-jean', '(absent)', 'iam']],
];
const REFUSED = [
  ['psc', 'zoe', 'EH5001', 'Vous n’êtes pas enregistré comme travaillant pour cet établissement.'],
  ['iam', 'zoe', 'EH5001', 'Vous n’êtes pas enregistré comme travaillant pour cet établissement.'],
  ['psc', 'chloe', 'EH5005', 'Les étudiants n’ont pas accès à cette application.'],
  ['iam', 'francois', 'EH5004', 'Votre droit d’exercer est suspendu ou non reconnu.'],
  ['iam', 'nuria', 'EH5000', 'Votre profession ne donne pas accès à cette application.'],
];

async function person(locale = 'fr-FR', viewport = { width: 1100, height: 800 }, more = {}) {
  const context = await browser.newContext({ locale, viewport, ...more });
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (err) => page.problems.push(String(err)));
  page.on('console', (line) => {
    // a refusal is a 403 by design, and Chromium tells that as an error
    if (line.type() === 'error' && !/status of 4\d\d/.test(line.text())) page.problems.push(line.text());
  });
  return page;
}

// Every page that a person meets: no WCAG fault, no sideways scrolling, nothing in the console, a picture.
async function look(page, name) {
  await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
  const title = await page.title();
  assert.ok(title.trim(), `${name}: no title`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name}: ${wide} px wider than the window`);
  // a world of its own: the page's own policy (no script at all) stays in force for the page
  const session = await page.context().newCDPSession(page);
  await session.send('Page.enable');
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId: contextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id });
  await session.send('Runtime.evaluate', { contextId, expression: axe });
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
    contextId, awaitPromise: true, returnByValue: true,
    expression: `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'], resultTypes: ['violations'] })
      .then(r => JSON.stringify({ passes: r.passes.length, violations: r.violations.map(v => [v.id, v.help, v.nodes.map(n => n.html + ' ' + n.failureSummary)]) }))`,
  });
  assert.ok(!exceptionDetails, JSON.stringify(exceptionDetails));
  const found = JSON.parse(result.value);
  assert.ok(found.passes > 5, `${name}: axe looked at nothing`);
  assert.deepEqual(found.violations, [], `${name}: accessibility`);
  assert.deepEqual(page.problems, [], `${name}: console`);
  await session.detach();
}

async function logIn(page, shape, who, picture) {
  await page.goto(`${url}/`);
  await page.getByRole('link', { name: PROVIDER[shape] }).click();
  await page.waitForURL(/\/login\//);
  if (picture) await look(page, picture);
  const [answer] = await Promise.all([
    page.waitForResponse((res) => res.url().startsWith(`${url}/portal/`)),
    page.getByRole('button', { name: WHO[who] }).click(),
  ]);
  await page.waitForLoadState();
  return answer;
}

for (const [lang, locale] of [['fr', 'fr-FR'], ['nl', 'nl-BE'], ['de', 'de-DE'], ['en', 'en-GB']]) {
  test(`start page in ${lang}`, async () => {
    const page = await person(locale);
    await page.goto(`${url}/`);
    assert.equal(await page.getAttribute('html', 'lang'), lang);
    await look(page, `start-${lang}`);
    await page.context().close();
  });
}

for (const [shape, who, values] of ADMITTED) {
  test(`${who} enters with ${shape} and the portal knows her`, async () => {
    const page = await person();
    const answer = await logIn(page, shape, who, `login-${shape}`);
    assert.equal(answer.status(), 200);
    assert.equal(page.url(), `${url}/portal/${shape}/`);
    const told = await page.locator('tbody td:last-child').allTextContents();
    assert.deepEqual(told, values);
    await look(page, `portal-${shape}-${who}`);
    await page.reload();
    await assert.doesNotReject(page.getByText('page vue 2 fois').waitFor({ timeout: 2000 }));
    await page.context().close();
  });
}

for (const [shape, who, code, words] of REFUSED) {
  test(`${who} is refused with ${shape}, and told why (${code})`, async () => {
    const page = await person();
    const answer = await logIn(page, shape, who);
    assert.equal(answer.status(), 403);
    const text = await page.locator('main').innerText();
    assert.ok(text.includes(words), text);
    assert.ok(text.includes(code), text);
    assert.equal(await page.getAttribute('html', 'lang'), 'fr');
    await look(page, `refused-${shape}-${who}`);
    await page.context().close();
  });
}

for (const [shape, yes] of [['psc', 'Se déconnecter'], ['iam', 'Afmelden']]) {
  test(`log-out here and at ${shape}`, async () => {
    const page = await person();
    await logIn(page, shape, 'helene');
    await page.getByRole('link', { name: 'Se déconnecter' }).click();
    await look(page, 'logout-question');
    await page.getByRole('button', { name: 'Se déconnecter' }).click();
    await page.waitForURL(/openid-connect\/logout/);
    await look(page, `logout-${shape}`);
    await page.getByRole('button', { name: yes, exact: true }).click();
    await page.waitForURL(/logged-out/);
    await look(page, 'logged-out');
    await page.goto(`${url}/portal/${shape}/`);
    assert.match(page.url(), /\/login\//, 'the log-in starts again');
    await page.goBack();
    assert.ok(!(await page.content()).includes('X-Remote-User'), 'Back shows nothing of the portal');
    await page.context().close();
  });
}

test('cancelling the log-in is told, with a way to try again', async () => {
  const page = await person();
  await page.goto(`${url}/portal/psc/`);
  await page.getByRole('button', { name: 'Annuler' }).click();
  await page.waitForURL(/callback/);
  assert.ok((await page.locator('main').innerText()).includes('EH4005'));
  await look(page, 'cancelled');
  await page.context().close();
});

test('status and metrics', async () => {
  const page = await person();
  await page.goto(`${url}/`);
  await page.getByRole('link', { name: 'État du serveur' }).click();
  await look(page, 'status');
  await page.goBack();
  const [metrics] = await Promise.all([
    page.waitForResponse(/metrics/), page.getByRole('link', { name: 'Métriques' }).click()]);
  assert.equal(metrics.status(), 200);
  assert.match(await metrics.text(), /^ehealth_/m);
  await page.context().close();
});

test('everything on a phone', async () => {
  const page = await person('fr-FR', { width: 320, height: 640 }, { isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
  await page.goto(`${url}/`);
  await look(page, 'phone-start');
  await logIn(page, 'psc', 'helene', 'phone-login');
  await look(page, 'phone-portal');
  await page.getByRole('link', { name: 'Se déconnecter' }).click();
  await look(page, 'phone-logout-question');
  await page.getByRole('button', { name: 'Se déconnecter' }).click();
  await page.waitForURL(/openid-connect\/logout/);
  await look(page, 'phone-logout-psc');
  await page.context().close();
  const refused = await person('fr-FR', { width: 320, height: 640 }, { isMobile: true, hasTouch: true });
  await logIn(refused, 'iam', 'francois');
  await look(refused, 'phone-refused');
  await refused.context().close();
});

test('in the dark', async () => {
  const page = await person('de-DE', { width: 1100, height: 800 }, { colorScheme: 'dark' });
  await page.goto(`${url}/`);
  await look(page, 'dark-start');
  await logIn(page, 'iam', 'nuria');
  await look(page, 'dark-refused');
  await page.context().close();
});

test('the whole way by keyboard', async () => {
  const page = await person();
  await page.goto(`${url}/`);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '/portal/psc/');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/login\//);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${url}/portal/psc/`);
  await assert.doesNotReject(page.getByRole('heading', { name: 'Bonjour Hélène' }).waitFor({ timeout: 2000 }));
  await page.context().close();
});

const failed = await run();
await browser.close();
process.exit(failed ? 1 : 0);
