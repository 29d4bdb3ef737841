import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attachTerminal } from '../../client/index.ts';
import { connectNode } from '../../client/node.ts';
import { until, type Berth } from './berth.ts';
import { say } from './talk.ts';

/** What the probe is told to look for and to try. Canaries go in disguised, so that it does not find itself. */
export interface Questions {
  canaries: { name: string; disguised: string }[];
  hostPids: number[];
  hostPaths: string[];
  dials: ({ host: string; port: number } | { path: string })[];
  dns: string[];
  commands: string[];
  speak: { port: number; bytes: string }[];
}
type Refused = { refused: string };
interface Found {
  name: string;
  path: string;
}
export interface Answers {
  uid: number;
  uidMap: string;
  groups: number[];
  hostname: string;
  names: (string | Refused)[];
  mounts: string[];
  interfaces: string[];
  routes: string[];
  unixSockets: string[];
  environment: Record<string, string>;
  processes: { pid: number; command: string; status: Record<string, string> }[];
  files: {
    found: Found[];
    folders: string[];
    writable: string[];
    sockets: string[];
    devices: string[];
    count: number;
  };
  processSecrets: { found: Found[]; opened: string[]; scannedBytes: number };
  sysctls: { count: number; open: string[] };
  hostPids: (boolean | Refused)[];
  hostPaths: (boolean | Refused)[];
  dials: Record<string, string>;
  dns: string[];
  ports: { v4: number[]; v6: number[] };
  spoken: string[];
  tried: Record<string, { code: number | null; said: string }>;
}

export const disguise = (text: string): string =>
  Buffer.from(Buffer.from(text).map((byte) => byte ^ 0x5a)).toString('hex');

const script = join(import.meta.dirname, 'probe.mjs');
async function json(berth: Berth, sessionId: string, path: string): Promise<Answers> {
  const file = await berth.client.files.read(sessionId, path);
  return JSON.parse(await file.text()) as Answers;
}

/** Puts the probe into the sandbox and has the agent run it. */
export async function probeAsAgent(
  berth: Berth,
  sessionId: string,
  questions: Questions,
): Promise<Answers> {
  await place(berth, sessionId, questions);
  await say(berth, sessionId, '/run node probe.mjs questions.json agent.json', 120);
  return json(berth, sessionId, 'agent.json');
}

/** The same by hand, in a shell. */
export async function probeInTerminal(
  berth: Berth,
  sessionId: string,
  questions: Questions,
): Promise<Answers> {
  await place(berth, sessionId, questions);
  const size = { cols: 100, rows: 30 };
  const terminal = await berth.client.terminals.open(sessionId, { kind: 'shell', ...size });
  const attached = attachTerminal({
    client: berth.client,
    connect: connectNode,
    terminalId: terminal.id,
    size,
  });
  let seen = '';
  attached.onBytes((bytes) => {
    seen += Buffer.from(bytes).toString();
  });
  const command = 'node probe.mjs questions.json terminal.json\n';
  await until(() => attached.write(Buffer.from(command)), 10_000, 'the first key');
  await until(() => seen.includes('probe: done'), 120_000, 'the end of the probe');
  attached.close();
  await berth.client.terminals.close(terminal.id);
  return json(berth, sessionId, 'terminal.json');
}

async function place(berth: Berth, sessionId: string, questions: Questions): Promise<void> {
  await berth.client.files.write(sessionId, 'probe.mjs', await readFile(script));
  await berth.client.files.write(
    sessionId,
    'questions.json',
    Buffer.from(JSON.stringify(questions)),
  );
}
