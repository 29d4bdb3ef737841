import type { ITheme } from '@xterm/xterm';

const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;

/** The terminal's colours from the theme's variables: a canvas and a palette cannot use them by name. */
export function terminalTheme(read: (variable: string) => string): ITheme {
  const value = (variable: string, otherwise = ''): string =>
    read(`--vscode-${variable}`).trim() || (otherwise && read(`--vscode-${otherwise}`).trim());
  const set = (key: keyof ITheme, colour: string): Partial<ITheme> =>
    colour === '' ? {} : { [key]: colour };
  const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
  const ansi = names.map((name) => ({
    ...set(name, value(`terminal-ansi${capital(name)}`)),
    ...set(`bright${capital(name)}` as keyof ITheme, value(`terminal-ansiBright${capital(name)}`)),
  }));
  return Object.assign(
    {},
    set('background', value('terminal-background', 'panel-background')),
    set('foreground', value('terminal-foreground', 'foreground')),
    set('cursor', value('terminalCursor-foreground', 'foreground')),
    set('selectionBackground', value('terminal-selectionBackground', 'editor-selectionBackground')),
    ...ansi,
  ) as ITheme;
}
