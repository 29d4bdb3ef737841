import type { Attachment } from '@berth/client';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { wholeCharacters } from './characters.ts';
import { guard } from './guard.ts';
import { terminalTheme } from './theme.ts';

export interface TerminalProps {
  title: string;
  attach: (size: { cols: number; rows: number }) => Attachment;
}
const resizeAfterMs = 50;
const scrollbackLines = 1000;

type State = { kind: 'open' } | { kind: 'waiting' } | { kind: 'ended'; exitCode: number | null };

/** A viewer of a terminal that lives on the server: it draws what comes and sends keys; leaving ends nothing. */
export function TerminalView(props: TerminalProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<State>({ kind: 'waiting' });
  const [size, setSize] = useState<{ cols: number; rows: number } | null>(null);
  const fitMine = useRef<() => void>(() => undefined);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const style = getComputedStyle(document.body);
    const read = (variable: string) => style.getPropertyValue(variable);
    const terminal = new Terminal({
      scrollback: scrollbackLines,
      fontFamily: read('--vscode-editor-font-family') || 'monospace',
      fontSize: Number.parseInt(read('--vscode-editor-font-size'), 10) || 12,
      minimumContrastRatio: 4.5,
      theme: terminalTheme(read),
      screenReaderMode: false,
      allowProposedApi: true,
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    openWithNonce(terminal, element);
    const unguard = guard(terminal);
    const proposed = () => fit.proposeDimensions() ?? { cols: 80, rows: 24 };
    const attachment = props.attach(proposed());
    let drawn = false;

    const characters = wholeCharacters();
    const write = (bytes: Uint8Array) =>
      new Promise<void>((resolve) => terminal.write(characters.take(bytes), () => resolve()));
    const stops = [
      attachment.onScreen(async ({ cols, rows, bytes }) => {
        // A screen of another size would wrap wrongly: take its size, then draw it on an empty terminal.
        drawn = false;
        terminal.reset();
        characters.reset();
        terminal.resize(cols, rows);
        setSize({ cols, rows });
        await write(bytes);
        drawn = true;
      }),
      attachment.onBytes(async (bytes) => {
        await write(bytes);
        drawn = true;
      }),
      attachment.onResize((cols, rows) => {
        // In its place among the bytes: what was sent before must be drawn at the old size.
        terminal.write('', () => {
          terminal.resize(cols, rows);
          setSize({ cols, rows });
        });
      }),
      attachment.onExit((exitCode) => setState({ kind: 'ended', exitCode })),
      attachment.onState((connection) => {
        if (connection.kind === 'connected') setState({ kind: 'open' });
        else if (connection.kind === 'disconnected')
          setState((now) => (now.kind === 'ended' ? now : { kind: 'ended', exitCode: null }));
        else setState((now) => (now.kind === 'ended' ? now : { kind: 'waiting' }));
      }),
    ];
    const encoder = new TextEncoder();
    // Until the screen is drawn, what xterm says is its answer to old bytes, not a key.
    const keys = terminal.onData((data) => {
      if (drawn) attachment.write(encoder.encode(data));
    });
    const binary = terminal.onBinary((data) => {
      if (drawn) attachment.write(Uint8Array.from(data, (char) => char.charCodeAt(0)));
    });
    // Only the server's screen answers what a program asks of its terminal; two answers would be typed into it.
    const answers = silenceReplies(terminal);

    let timer: ReturnType<typeof setTimeout> | undefined;
    const resize = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const { cols, rows } = proposed();
        if (cols >= 2 && rows >= 2) attachment.resize(cols, rows);
      }, resizeAfterMs);
    };
    fitMine.current = () => {
      const { cols, rows } = proposed();
      // The attachment knows this size as the last one that we asked for; another viewer set its own since.
      attachment.resize(cols, Math.max(2, rows - 1));
      attachment.resize(cols, rows);
    };
    const observer = new ResizeObserver(resize);
    observer.observe(element);
    const themes = new MutationObserver(() => {
      terminal.options.theme = terminalTheme((variable) =>
        getComputedStyle(document.body).getPropertyValue(variable),
      );
    });
    themes.observe(document.body, { attributes: true, attributeFilter: ['class'] });
    terminal.focus();
    return () => {
      clearTimeout(timer);
      observer.disconnect();
      themes.disconnect();
      for (const stop of stops) stop();
      attachment.close();
      for (const owned of [...answers, keys, binary, unguard]) owned.dispose();
      terminal.dispose();
    };
  }, []);

  const words =
    state.kind === 'waiting'
      ? 'Connection lost. The program goes on. Keys are not kept.'
      : state.kind === 'ended'
        ? state.exitCode === null
          ? 'This terminal has ended.'
          : `Ended with exit code ${state.exitCode}.`
        : null;
  return (
    <div class="terminal">
      <div ref={box} class="terminal__box" role="region" aria-label={props.title} />
      <div class="terminal__foot muted small">
        <span class="cut" role="status">
          {words ?? (size ? `${size.cols}×${size.rows}` : '')}
        </span>
        <span class="grow" />
        {state.kind === 'open' ? (
          <button type="button" class="link" onClick={() => fitMine.current()}>
            Fit to mine
          </button>
        ) : null}
      </div>
    </div>
  );
}

/** Reports that a program asks for: who and where the terminal is, its colours and modes. */
function silenceReplies(terminal: Terminal): { dispose(): void }[] {
  const { parser } = terminal;
  const swallow = () => true;
  const asks = (data: string) => data.includes('?');
  return [
    parser.registerCsiHandler({ final: 'n' }, swallow),
    parser.registerCsiHandler({ prefix: '?', final: 'n' }, swallow),
    parser.registerCsiHandler({ final: 'c' }, swallow),
    parser.registerCsiHandler({ prefix: '>', final: 'c' }, swallow),
    parser.registerCsiHandler({ prefix: '>', final: 'q' }, swallow),
    parser.registerCsiHandler({ intermediates: '$', final: 'p' }, swallow),
    parser.registerCsiHandler({ prefix: '?', intermediates: '$', final: 'p' }, swallow),
    parser.registerDcsHandler({ intermediates: '$', final: 'q' }, swallow),
    ...[4, 10, 11, 12].map((code) => parser.registerOscHandler(code, asks)),
  ];
}

/**
 * xterm writes its rules into style elements that it makes while it opens. A page whose policy lets only named ones in needs them
 * marked, and xterm has no option for it.
 */
type CreateElement = (name: string, options?: ElementCreationOptions) => HTMLElement;
function openWithNonce(terminal: Terminal, element: HTMLElement): void {
  const nonce = document.querySelector<HTMLScriptElement>('script[nonce]')?.nonce ?? '';
  if (nonce === '') {
    terminal.open(element);
    return;
  }
  const own = document as unknown as { createElement: CreateElement };
  const create = own.createElement;
  own.createElement = (name, options) => {
    const made = create.call(document, name, options);
    if (made instanceof HTMLStyleElement) made.nonce = nonce;
    return made;
  };
  try {
    terminal.open(element);
  } finally {
    // Back to the document's own.
    Reflect.deleteProperty(document, 'createElement');
  }
}
