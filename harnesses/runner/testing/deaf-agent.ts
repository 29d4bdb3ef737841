import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** An agent that starts a process of its own, and then neither answers nor stops: not when it is asked to, not by SIGTERM. */
interface Message {
  id?: number | string;
  method?: string;
}
process.on('SIGTERM', () => undefined);
const results: Record<string, object> = {
  initialize: { protocolVersion: 1, agentCapabilities: { loadSession: true } },
  'session/new': { sessionId: 'deaf' },
  'session/load': {},
  'session/set_mode': {},
};
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method = '' } = JSON.parse(line) as Message;
  if (method === 'session/prompt') {
    // In a session of its own, as a shell does it: only its mark says whose it is.
    spawn('sleep', ['7171'], { detached: true, stdio: 'ignore' }).unref();
    const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'no' } };
    const params = { sessionId: 'deaf', update };
    process.stdout.write(
      `${JSON.stringify({ jsonrpc: '2.0', method: 'session/update', params })}\n`,
    );
  }
  const result = results[method];
  if (id !== undefined && result !== undefined)
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
});
setInterval(() => undefined, 60_000);
