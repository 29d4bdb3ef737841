import type { HarnessRecord } from '@berth/contract/harness';
import type { HarnessPort } from '../ports.ts';

export const rehearsalRecord: HarnessRecord = {
  id: 'rehearsal',
  title: 'Rehearsal',
  version: '1.0.0',
  protocol: 'none',
  acp: { argv: ['${node}', 'agent.js'] },
  env: {},
  files: [],
  modes: { ask: { name: 'Ask' }, auto: { name: 'Auto' } },
  model: {},
  terminal: { kind: 'handover', argv: ['tui'] },
  state: [],
  timeouts: { initializeMs: 1000, newSessionMs: 1000, loadMs: 1000, cancelMs: 1000 },
};

export const testHarnesses: HarnessPort = {
  record: (id, hostPath = `/agents/${id}/${rehearsalRecord.version}`) => ({
    ...rehearsalRecord,
    id,
    protocol: id === 'rehearsal' ? 'none' : 'chat',
    version: hostPath.slice(hostPath.lastIndexOf('/') + 1),
  }),
  prepare: async (id, progress) => {
    await progress(1, 2, 'MB', 'downloading');
    await progress(2, 2, 'MB', 'downloading');
    return { hostPath: `/agents/${id}/${rehearsalRecord.version}` };
  },
};
