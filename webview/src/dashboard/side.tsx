import type { ChangedFile, Terminal } from '@berth/contract';
import type { ComponentType, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Icon, IconButton, LineCounts } from '../ui/icon.tsx';
import type { TerminalProps } from '../terminal/terminal-view.tsx';
import type { Desk } from './desk.ts';

/** What stands at the right of a chat: terminals, and what the person looked at last. */
export type Tab =
  | { kind: 'terminal'; key: string; title: string; terminal: Terminal }
  | { kind: 'changes'; key: 'changes'; title: string; path: string | null }
  | { kind: 'text'; key: 'text'; title: string; text: string };

const iconOf = (tab: Tab): string =>
  tab.kind === 'terminal'
    ? tab.terminal.kind === 'agent'
      ? 'robot'
      : 'terminal'
    : tab.kind === 'changes'
      ? 'diff-multiple'
      : 'file';

export function Side(props: {
  desk: Desk;
  sessionId: string;
  tabs: readonly Tab[];
  active: string | null;
  refusal: string | null;
  onActivate: (key: string) => void;
  onClose: (tab: Tab) => void;
  onNewShell: () => void;
}): JSX.Element {
  const { desk, sessionId, tabs, active, refusal, onActivate, onClose, onNewShell } = props;
  const shown = tabs.find((tab) => tab.key === active) ?? tabs[0] ?? null;
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = tabs.findIndex((tab) => tab === shown);
    const next = step ? tabs[at + step] : undefined;
    if (!next) return;
    event.preventDefault();
    onActivate(next.key);
    const list = event.currentTarget as HTMLElement;
    requestAnimationFrame(() => list.querySelector<HTMLElement>('[aria-selected="true"]')?.focus());
  };
  return (
    <section class="term" aria-label="Terminals" data-region="terminal">
      <div class="term__tabs">
        {tabs.length > 0 ? (
          <div role="tablist" aria-label="Terminals" onKeyDown={move}>
            {tabs.map((tab) => (
              <button
                key={tab.key}
                type="button"
                role="tab"
                id={`tab-${tab.key}`}
                aria-selected={tab === shown}
                aria-controls="side-panel"
                tabIndex={tab === shown ? 0 : -1}
                onClick={() => onActivate(tab.key)}
              >
                <Icon name={iconOf(tab)} />
                {tab.title}
              </button>
            ))}
          </div>
        ) : (
          <span class="muted">No terminal is open</span>
        )}
        <IconButton icon="add" label="New shell" onPress={onNewShell} />
        <span class="grow" />
        {shown ? (
          <IconButton
            icon="close"
            label={shown.kind === 'terminal' ? 'Detach' : 'Close'}
            onPress={() => onClose(shown)}
          />
        ) : null}
      </div>
      {refusal ? (
        <div class="note side__note" role="alert">
          <Icon name="error" tone="error" />
          <p class="grow">{refusal}</p>
        </div>
      ) : null}
      <div
        class="side__panel"
        id="side-panel"
        {...(shown ? { role: 'tabpanel', 'aria-labelledby': `tab-${shown.key}` } : {})}
      >
        {shown?.kind === 'terminal' ? (
          <LazyTerminal
            key={shown.key}
            attach={(size) => desk.terminals.attach(shown.terminal.id, size)}
            title={shown.title}
          />
        ) : shown?.kind === 'changes' ? (
          <Changes desk={desk} sessionId={sessionId} path={shown.path} />
        ) : shown?.kind === 'text' ? (
          <pre class="side__text" tabIndex={0} role="region" aria-label={shown.title}>
            {shown.text}
          </pre>
        ) : null}
      </div>
    </section>
  );
}

/** xterm is the largest part of the page and only needed here. */
function LazyTerminal(props: TerminalProps): JSX.Element | null {
  const [View, setView] = useState<ComponentType<TerminalProps> | null>(null);
  useEffect(() => {
    import('../terminal/terminal-view.tsx').then(
      ({ TerminalView }) => setView(() => TerminalView),
      (error: unknown) => console.error(error),
    );
  }, []);
  return View ? <View {...props} /> : null;
}

function Changes(props: { desk: Desk; sessionId: string; path: string | null }): JSX.Element {
  const { desk, sessionId } = props;
  const [files, setFiles] = useState<readonly ChangedFile[] | null>(null);
  const [path, setPath] = useState(props.path);
  const [diff, setDiff] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => setPath(props.path), [props.path]);
  useEffect(() => {
    const failed = () =>
      setFault('The sandbox does not answer. Wake the session to see its changes.');
    desk.changes.list(sessionId).then((list) => {
      setFiles(list);
      setPath((now) => now ?? list[0]?.path ?? null);
    }, failed);
  }, [desk, sessionId, props.path]);
  useEffect(() => {
    setDiff(null);
    if (path === null) return;
    let current = true;
    desk.changes.diff(sessionId, path).then(
      (text) => current && setDiff(text),
      () => current && setDiff(''),
    );
    return () => {
      current = false;
    };
  }, [desk, sessionId, path]);
  if (fault) return <p class="side__note muted">{fault}</p>;
  if (files?.length === 0) return <p class="side__note muted">Nothing was changed.</p>;
  return (
    <div class="changes">
      <ul aria-label="Changed files">
        {(files ?? []).map((file) => (
          <li key={file.path}>
            <button
              type="button"
              class="changes__file"
              aria-pressed={file.path === path}
              onClick={() => setPath(file.path)}
            >
              <span class="cut grow mono" title={file.path}>
                {file.path}
              </span>
              <LineCounts added={file.added} deleted={file.deleted} />
            </button>
          </li>
        ))}
      </ul>
      {diff === null ? null : <UnifiedDiff text={diff} path={path ?? ''} />}
    </div>
  );
}

function UnifiedDiff(props: { text: string; path: string }): JSX.Element {
  const lines = props.text
    .split('\n')
    .filter((line) => !/^(diff |index |--- |\+\+\+ |new file|deleted file)/.test(line));
  return (
    <div class="diff" tabIndex={0} role="region" aria-label={`Changes in ${props.path}`}>
      <table role="presentation">
        <tbody>
          {lines.map((line, index) => {
            const kind = line.startsWith('@@')
              ? 'hunk'
              : line.startsWith('+')
                ? 'plus'
                : line.startsWith('-')
                  ? 'minus'
                  : 'same';
            return (
              <tr key={index} class={kind}>
                {kind === 'hunk' ? (
                  <td colSpan={2}>{line}</td>
                ) : (
                  <>
                    <td class="sg">{kind === 'plus' ? '+' : kind === 'minus' ? '−' : ''}</td>
                    <td class="cd">{line.slice(1)}</td>
                  </>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
