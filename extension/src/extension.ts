import type * as vscode from 'vscode';
import { createContainer } from './container.ts';

/** What another extension, or a test, may look at. */
export interface BerthApi {
  readonly activationMs: number;
  readonly server: () => string;
  readonly sessions: () => number;
}

export function activate(context: vscode.ExtensionContext): BerthApi {
  const startedAt = performance.now();
  const { hub } = createContainer(context);
  return {
    activationMs: performance.now() - startedAt,
    server: () => hub.state.get().server.kind,
    sessions: () => hub.state.get().sessions.size,
  };
}
