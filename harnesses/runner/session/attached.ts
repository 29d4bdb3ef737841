import type { SessionUpdate } from '@agentclientprotocol/sdk';
import type { HarnessRecord } from '@berth/contract/harness';
import type { Ledger } from '../journal/ledger.ts';
import type { NewItem } from '../journal/journal.ts';

const begins = new Set(['agent_message_chunk', 'agent_thought_chunk', 'tool_call']);

/**
 * An agent whose terminal is open beside the chat tells here what it does there, but not what a person typed: it is said, once for each such terminal, why an answer
 * stands without its question.
 */
export function createAttached(options: {
  journal: { readonly ledger: Pick<Ledger, 'terminals'> };
  spec: () => { harness: Pick<HarnessRecord, 'terminal'> };
}): { before(update: SessionUpdate, inTurn: boolean): NewItem[] } {
  const said = new Set<string>();
  return {
    before({ sessionUpdate }, inTurn) {
      if (inTurn || !begins.has(sessionUpdate) || options.spec().harness.terminal.kind !== 'attach')
        return [];
      const open = Object.entries(options.journal.ledger.terminals).flatMap(([id, kind]) =>
        kind === 'agent' ? [id] : [],
      );
      const news = open.filter((id) => !said.has(id));
      for (const id of news) said.add(id);
      const text =
        'The agent answers what is typed in its terminal here too. The words that are typed there are only seen there.';
      return news.length === 0
        ? []
        : [{ kind: 'notice', payload: { code: 'terminal-beside', text } }];
    },
  };
}
