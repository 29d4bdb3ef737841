import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agentOf, harnessOf, sessionOf } from '../testing/records.ts';
import {
  browserWay,
  inWorkspace,
  isPlainHttp,
  partsOf,
  readFileAddress,
  readLink,
  readServerUrl,
} from './addresses.ts';
import { changeRow, sidesOf, whyUnread } from './changes.ts';
import { freeName, harnessChoices, lastModel } from './new-agent.ts';
import { agentChoices, codeChoices } from './new-session.ts';
import { redact } from './redaction.ts';
import { berthLine, createScreenWatch, notAttachedLine, toldExit } from './terminal-text.ts';
import { byteSize, duration, minutes, money } from '@berth/client/words';
import { cut } from './words.ts';

test('numbers as people write them', () => {
  expect([900, 9940, 12_000, 240_000, 4_320_000, 180_000_000].map(duration)).toEqual([
    '0.9 s',
    '9.9 s',
    '12 s',
    '4 min',
    '1 h 12 min',
    '2 days',
  ]);
  expect([-5, 59_000, 60_000].map(minutes)).toEqual(['', '', '1 min']);
  expect(['0.004', '2.3', '0'].map(money)).toEqual(['<$0.01', '$2.30', '$0.00']);
  expect([900, 2048, 41 * 1024 * 1024, 2.3 * 1024 ** 3].map(byteSize)).toEqual([
    '900 B',
    '2 KB',
    '41 MB',
    '2.3 GB',
  ]);
});

test('a cut text is one line, not longer than asked, and cuts no letter in two', () => {
  expect(cut('Refunds older than 90 days return 500', 31)).toBe('Refunds older than 90 days ret…');
  expect(cut('👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 2)).toBe('👩‍👩‍👧‍👦…');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 }), (text, max) => {
      const short = cut(text, max);
      expect(short).not.toMatch(/\n/);
      expect([...new Intl.Segmenter().segment(short)].length).toBeLessThanOrEqual(max);
    }),
  );
});

const id = '01990000-0000-7000-8000-000000000001';
test('an address of a file is read back as it was made', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('base' as const, 'current' as const),
      fc.array(fc.stringMatching(/^[^/.]+$/), { minLength: 1, maxLength: 4 }),
      (rev, parts) => {
        const address = { sessionId: id, rev, path: parts.join('/') };
        expect(readFileAddress(partsOf(address))).toEqual(address);
      },
    ),
  );
});
test.each([
  { scheme: 'file', authority: id, path: '/base/a' },
  { scheme: 'berth', authority: 'someone', path: '/base/a' },
  { scheme: 'berth', authority: id, path: '/later/a' },
  { scheme: 'berth', authority: id, path: '/base/../../etc/passwd' },
])('%j is no address of ours', (uri) => expect(readFileAddress(uri)).toBeNull());

test.each([
  ['/workspace/src/a.ts', 'src/a.ts'],
  ['file:///workspace/a', 'a'],
  ['./src//a', 'src/a'],
  ['/workspace', ''],
  ['/etc/passwd', null],
  ['/workspaces/a', null],
  ['/workspace/../etc', null],
])('%s lies at %s', (path, found) => expect(inWorkspace(path)).toBe(found));

test.each([
  ['berth.example.com', 'https://berth.example.com'],
  ['127.0.0.1:3000', 'http://127.0.0.1:3000'],
  ['http://berth.lan/', 'http://berth.lan'],
  ['https://example.com/berth/', 'https://example.com/berth'],
  ['ftp://example.com', null],
  ['https://user:secret@example.com', null],
  ['https://example.com?token=x', null],
  ['two words', null],
  ['', null],
])('%s means %s', (typed, url) => expect(readServerUrl(typed)).toBe(url));
test('plain http is for this machine', () => {
  expect(isPlainHttp('http://127.0.0.1:3000')).toBe(false);
  expect(isPlainHttp('https://example.com')).toBe(false);
  expect(isPlainHttp('http://example.com')).toBe(true);
});

test('links open a session or suggest a server, and nothing else', () => {
  expect(readLink({ path: `/session/${id}`, query: 'token=berth_a_b' })).toEqual({
    kind: 'session',
    sessionId: id,
  });
  expect(readLink({ path: '/connect', query: 'url=berth.example.com' })).toEqual({
    kind: 'connect',
    url: 'https://berth.example.com',
  });
  expect(readLink({ path: '/connect', query: 'url=javascript%3Aalert(1)' })).toBeNull();
  expect(readLink({ path: '/session/../x', query: '' })).toBeNull();
  expect(readLink({ path: '/run', query: 'command=rm' })).toBeNull();
});

test('no secret reaches the log', () => {
  const token = 'berth_0198abc_Zx9-_secret';
  for (const text of [
    token,
    `Authorization: Bearer ${token}`,
    `wss://a/b?ticket=s3cret&x=1`,
    `https://ana:s3cret@host/x`,
    `{"authorization":"Bearer abc.def"}`,
  ])
    expect(redact(text)).not.toMatch(/s3cret|Zx9|abc\.def/);
  expect(redact('connected to http://127.0.0.1:3000 in 4 ms')).toBe(
    'connected to http://127.0.0.1:3000 in 4 ms',
  );
});

test('a changed file is a row and two sides', () => {
  const file = {
    path: 'src/refunds/policy.ts',
    status: 'modified' as const,
    added: 11,
    deleted: 3,
  };
  expect(changeRow(file)).toMatchObject({
    name: 'policy.ts',
    description: 'src/refunds  +11 −3',
    letter: 'M',
  });
  expect(sidesOf(file)).toEqual({ base: file.path, current: file.path });
  expect(sidesOf({ ...file, status: 'added' })).toEqual({ base: null, current: file.path });
  expect(sidesOf({ ...file, status: 'deleted' })).toEqual({ base: file.path, current: null });
  expect(sidesOf({ ...file, status: 'renamed', from: 'old.ts' })).toEqual({
    base: 'old.ts',
    current: file.path,
  });
  expect(changeRow({ ...file, path: 'a', binary: true }).description).toBe('binary');
});

test('changes that cannot be read yet say why, and only then', () => {
  expect(whyUnread('starting')).toBe('The sandbox is starting.');
  expect(whyUnread('suspended')).toBe('The sandbox is suspended. A message wakes it.');
  expect(whyUnread('idle')).toBeNull();
});

test('an agent is made of a harness, a model that is known here, and a name that is free', () => {
  const codex = agentOf({ name: 'codex', harness: 'codex', model: 'gpt-5' });
  const kinds = [
    harnessOf({ id: 'rehearsal', title: 'Rehearsal', needsModel: false, installed: true }),
    harnessOf({ id: 'codex', title: 'Codex', needsModel: true, installed: false }),
  ];
  expect(harnessChoices(kinds).map(({ harness, icon }) => [harness.id, icon])).toEqual([
    ['codex', 'robot'],
    ['rehearsal', 'beaker'],
  ]);
  expect(harnessChoices(kinds)[0]?.description).toMatch(/, is fetched at first use$/);
  expect(lastModel([codex], 'codex')).toBe('gpt-5');
  expect(lastModel([codex], 'gemini')).toBe('');
  expect(freeName([codex], 'gemini')).toBe('gemini');
  expect(freeName([codex, agentOf({ name: 'codex-2' })], 'codex')).toBe('codex-3');
});

test('a page of the server is opened past the path that an editor in a browser would send it through', () => {
  const page = 'http://127.0.0.1:3000/sign-in/abc#/agents';
  expect(browserWay(page, page)).toBe(page);
  const passed = browserWay(page, 'http://localhost:8080/proxy/3000/sign-in/abc#/agents');
  expect(passed).toBe('http://127.1:3000/sign-in/abc#/agents');
  expect(new URL(passed ?? '').href).toBe(page);
  expect(browserWay(page, 'https://code.example.com/proxy/3000/sign-in/abc')).toBeNull();
  const other = 'https://berth.example.com/sign-in/abc';
  expect(browserWay(other, other)).toBe(other);
});

test('the agent used last comes first, and its code as most people want it', () => {
  const used = agentOf({ id: '01990000-0000-7000-8000-00000000000a', name: 'used' });
  const fresh = agentOf({
    id: '01990000-0000-7000-8000-00000000000b',
    name: 'fresh',
    repository: { url: 'https://github.com/northwind/checkout-api.git' },
  });
  const choose = (defaultAgent: string) =>
    agentChoices({
      agents: [fresh, used],
      harnesses: [harnessOf()],
      sessions: [sessionOf({ agentId: used.id })],
      defaultAgent,
    });
  expect(choose('').map(({ agent }) => agent.name)).toEqual(['used', 'fresh']);
  expect(choose('fresh').map(({ agent }) => agent.name)).toEqual(['fresh', 'used']);
  expect(choose('')[1]?.detail).toBe('northwind/checkout-api, ask first');
  expect(choose('')[0]?.detail).toMatch(/^Any code, ask first/);
  expect(codeChoices(fresh, true)).toEqual(['repository', 'folder']);
  expect(codeChoices(used, true)).toEqual(['folder', 'empty']);
  expect(codeChoices(used, false)).toEqual(['empty']);
  expect(codeChoices(agentOf({ harness: 'rehearsal' }), true)).toEqual(['empty', 'folder']);
});

test('our lines in a terminal stay one row wide', () => {
  // eslint-disable-next-line no-control-regex -- escape sequences take no room
  const shown = (text: string) => text.replaceAll(/\u001b\[\d+m/g, '');
  expect(shown(berthLine('connection lost; the agent goes on', 20)).length).toBeLessThan(20);
  expect(shown(notAttachedLine('a\u001b[2Jb'.repeat(50), 60)).length).toBeLessThan(60);
  expect(berthLine('back after 12 s', 80)).toBe('\u001b[2m[berth] back after 12 s\u001b[22m');
});

test('an end that somebody wanted is no error of the terminal', () => {
  expect(toldExit('agent', 129)).toBeUndefined();
  expect(toldExit('agent', 1)).toBeUndefined();
  expect(toldExit('shell', 129)).toBeUndefined();
  expect([0, 1].map((code) => toldExit('shell', code))).toEqual([0, 1]);
});

test('the alternate screen is followed, however the bytes are cut', () => {
  const stream = 'a\u001b[?1049hvim\u001b[?25l\u001b[?1049lb\u001b[?1047hc';
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 8 }), (cuts) => {
      const places = [...new Set([0, ...cuts, stream.length])].sort((a, b) => a - b);
      const watch = createScreenWatch();
      places.slice(1).forEach((end, i) => watch.feed(stream.slice(places[i], end)));
      expect(watch.alternate).toBe(true);
    }),
  );
  const watch = createScreenWatch();
  watch.feed('\u001b[?1049h');
  watch.feed('\u001b[?1049l');
  expect(watch.alternate).toBe(false);
});
