import '../src/app.css';
import '../src/styles/theme.css';
import { render } from 'preact';
import { ChatView } from '../src/chat/chat.tsx';
import { Dashboard } from '../src/dashboard/dashboard.tsx';
import { createChat } from '../src/store/chat.ts';
import { createFixtureDesk } from './fixture-desk.ts';
import { createFixtureHost } from './fixture-host.ts';
import { fixtureNow, scenes } from './scenes.ts';

/** `?scene=` names a conversation of scenes.ts, or `dashboard`; `&theme=` dark, light or high-contrast. */
const inHand = (name: string, type: string, size: number): DataTransfer => {
  const hand = new DataTransfer();
  hand.items.add(new File([new Uint8Array(size).fill(65)], name, { type }));
  return hand;
};
const query = new URLSearchParams(location.search);
const kind = `vscode-${query.get('theme') ?? 'dark'}`;
document.body.dataset['vscodeThemeKind'] = kind;
document.body.className = kind;
const name = query.get('scene') ?? 'chat-working';
const begun = performance.now();
const ticking = query.has('ticking');
const clock = { now: () => fixtureNow + (ticking ? performance.now() - begun : 0) };
const app = document.getElementById('app');
if (!app) throw new Error('the page has no #app');
if (name.startsWith('dashboard')) {
  render(<Dashboard desk={createFixtureDesk(name === 'dashboard-empty')} clock={clock} />, app);
} else {
  const scene = scenes[name]?.();
  if (!scene) throw new Error(`no scene ${name}`);
  const host = createFixtureHost(scene);
  const chat = createChat({ host, clock, schedule: (run, ms) => setTimeout(run, ms) });
  /** What the tests in a browser ask of the page, by name: they know no DOM. */
  const probe = {
    nodes: () => document.querySelectorAll('*').length,
    tailMs: () => performance.getEntriesByName('berth:tail')[0]?.duration ?? null,
    refuse: host.refuse,
    session: (part: object) => host.emit('session', { session: { ...scene.session, ...part } }),
    asked: (call: string) => host.asked.filter((one) => one.name === call),
    /** Adds events at the end of the log, as a server would. */
    emit: (events: { kind: string; payload: unknown }[]) => {
      const after = chat.state.get().transcript?.to ?? 0;
      host.emit('events', {
        sessionId: scene.session.id,
        after,
        to: after + events.length,
        events: events.map((event, index) => ({
          kind: event.kind,
          payload: { ...(event.payload as object) },
          sessionId: scene.session.id,
          seq: after + index + 1,
          at: new Date(fixtureNow).toISOString(),
        })),
      });
    },
    scroll: () => {
      const box = document.querySelector('.scroll');
      if (!box) throw new Error('there is no conversation');
      return { top: box.scrollTop, end: box.scrollHeight - box.clientHeight - box.scrollTop };
    },
    /** The first message that is in view, and where it stands. */
    reading: () => {
      const top = document.querySelector('.scroll')?.getBoundingClientRect().top ?? 0;
      const row = [...document.querySelectorAll('.user')].find(
        (one) => one.getBoundingClientRect().top > top,
      );
      return { text: row?.textContent ?? '', y: row?.getBoundingClientRect().y ?? 0 };
    },
    whereIs: (text: string) =>
      [...document.querySelectorAll('.user')]
        .find((one) => one.textContent === text)
        ?.getBoundingClientRect().y ?? null,
    region: () =>
      document.activeElement?.closest('[data-region]')?.getAttribute('data-region') ?? null,
    focusedEntry: () => document.activeElement?.closest('li')?.textContent ?? null,
    /** Files in the hand of a person: pasted into the text, or dropped on the composer. */
    paste: (name: string, type: string, size: number) =>
      document
        .querySelector('textarea')
        ?.dispatchEvent(
          new ClipboardEvent('paste', { clipboardData: inHand(name, type, size), bubbles: true }),
        ),
    drop: (name: string, type: string, size: number) =>
      document
        .querySelector('.composer')
        ?.dispatchEvent(
          new DragEvent('drop', { dataTransfer: inHand(name, type, size), bubbles: true }),
        ),
    focused: () => document.activeElement?.textContent ?? '',
    pressFirst: () => document.querySelector<HTMLElement>('.ask vscode-button')?.click(),
    overflow: () =>
      Math.max(
        document.body.scrollWidth - innerWidth,
        ...[...document.querySelectorAll('.scroll')].map(
          (one) => one.scrollWidth - one.clientWidth,
        ),
      ),
  };
  Object.assign(window, { probe });
  render(<ChatView chat={chat} main newId={() => crypto.randomUUID()} />, app);
  performance.mark('berth:start');
  await chat.start();
  requestAnimationFrame(() => setTimeout(() => performance.measure('berth:tail', 'berth:start')));
}
