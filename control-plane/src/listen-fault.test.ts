import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { listenFault, listeningInodes } from './listen-fault.ts';

const fault = (code: string): Error => Object.assign(new Error(`listen ${code}`), { code });
const at = { port: 3000, host: '127.0.0.1' };
const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

test.each<[string, string | undefined, RegExp]>([
  [
    'EADDRINUSE',
    'node (process 7)',
    /^PORT: 3000 on 127\.0\.0\.1 is in use by node \(process 7\): /,
  ],
  ['EADDRINUSE', undefined, /^PORT: 3000 on 127\.0\.0\.1 is in use: /],
  ['EACCES', undefined, /^PORT: this user may not listen on 3000: /],
  ['EADDRNOTAVAIL', undefined, /^HOST: 127\.0\.0\.1 is no address of this machine$/],
  ['ENOTFOUND', undefined, /^HOST: the name 127\.0\.0\.1 is not known here$/],
])('%s, held by %s', (code, holder, wanted) => {
  expect(said(listenFault(fault(code), at, () => holder))).toMatch(wanted);
});

test('anything else stays what it is', () => {
  const other = fault('EMFILE');
  expect(listenFault(other, at)).toBe(other);
});

test('only who listens on that port', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1
   2: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0 100 0 0 10 0
`;
  expect(listeningInodes(table, 3000)).toEqual(['4711']);
});

test.skipIf(process.platform !== 'linux')('this very process is named (Linux)', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(said(listenFault(fault('EADDRINUSE'), { ...at, port }))).toContain(
    `(process ${String(process.pid)})`,
  );
  server.close();
});
