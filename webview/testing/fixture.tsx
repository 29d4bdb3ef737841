import '../src/app.css';
import '../src/styles/theme.css';
import { render } from 'preact';
import { ChatView } from '../src/chat/chat.tsx';
import { createChat } from '../src/store/chat.ts';
import { createFixtureHost } from './fixture-host.ts';
import { fixtureNow, scenes } from './scenes.ts';

const query = new URLSearchParams(location.search);
document.body.dataset['vscodeThemeKind'] = `vscode-${query.get('theme') ?? 'dark'}`;
const scene = scenes[query.get('scene') ?? 'chat-working']?.();
if (!scene) throw new Error('no such scene');
const host = createFixtureHost(scene);
const begun = performance.now();
const ticking = query.has('ticking');
const chat = createChat({
  host,
  clock: { now: () => fixtureNow + (ticking ? performance.now() - begun : 0) },
  schedule: (run, ms) => setTimeout(run, ms),
});
Object.assign(window, { fixture: { host, chat, scene } });
const app = document.getElementById('app');
if (app) render(<ChatView chat={chat} main newId={() => crypto.randomUUID()} />, app);
await chat.start();
