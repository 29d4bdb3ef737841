/** The browser says what the person prefers; `?theme=` says it for tests. Inside the editor VS Code sets all this itself. */
export type ThemeKind = 'vscode-dark' | 'vscode-light' | 'vscode-high-contrast';

export function preferredTheme(search: string, matches: (query: string) => boolean): ThemeKind {
  const asked = new URLSearchParams(search).get('theme');
  if (asked === 'dark' || asked === 'light' || asked === 'high-contrast') return `vscode-${asked}`;
  if (matches('(prefers-contrast: more)')) return 'vscode-high-contrast';
  return matches('(prefers-color-scheme: light)') ? 'vscode-light' : 'vscode-dark';
}

export function followTheme(body: HTMLElement): void {
  const apply = () => {
    const kind = preferredTheme(location.search, (query) => matchMedia(query).matches);
    body.dataset['vscodeThemeKind'] = kind;
    // The component library looks at the class to read its colours again.
    body.className = kind;
  };
  apply();
  for (const query of ['(prefers-contrast: more)', '(prefers-color-scheme: light)'])
    matchMedia(query).addEventListener('change', apply);
}
