import { explain } from '@berth/client';
import * as vscode from 'vscode';
import { redact } from '../common/redaction.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface Log {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string, error?: unknown): void;
  show(): void;
}

/** The output channel "Berth"; nothing goes into it that was not cleaned of tokens. */
export function createLog(subscriptions: Subscriptions): Log {
  const channel = vscode.window.createOutputChannel('Berth', { log: true });
  subscriptions.push(channel);
  return {
    debug: (text) => channel.debug(redact(text)),
    info: (text) => channel.info(redact(text)),
    warn: (text) => channel.warn(redact(text)),
    error: (text, error) => {
      const why = error instanceof Error ? (error.stack ?? error.message) : explain(error);
      channel.error(redact(error === undefined ? text : `${text}: ${why}`));
    },
    show: () => channel.show(true),
  };
}
