import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { startEmbeddedPostgres } from '../../control-plane/src/store/index.ts';
import { planeNames, type PlaneName } from './planes.ts';
import { openWire, type Wire } from './wire.ts';

/** A PostgreSQL that is not Berth's own, with a network in between. Whoever kills it finds it again: it has a supervisor. */
export interface Database extends AsyncDisposable {
  /** For `DATABASE_URL`: each process has a network of its own to it, and is known there by its name. */
  url(name: PlaneName): string;
  readonly wires: Readonly<Record<PlaneName, Wire>>;
  /** What its supervisor wrote. */
  log(): string;
}

export async function openDatabase(): Promise<Database> {
  const baseDir = await mkdtemp(join(tmpdir(), 'berth-chaos-pg-'));
  let written = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  const server = await startEmbeddedPostgres({ baseDir, logger: pino({ base: null }, stream) });
  const address = new URL(server.url);
  const socket = join(address.searchParams.get('host') ?? '', '.s.PGSQL.5432');
  const open = (): Promise<Wire> => openWire(() => ({ path: socket }));
  const wires = { first: await open(), second: await open() };
  const password = (
    await readFile(join(dirname(dirname(dirname(socket))), 'pg.secret'), 'utf8')
  ).trim();
  return {
    url: (name) =>
      `postgresql://berth:${password}@127.0.0.1:${String(wires[name].port)}/berth?application_name=${name}`,
    wires,
    log: () => written,
    async [Symbol.asyncDispose]() {
      for (const name of planeNames) await wires[name][Symbol.asyncDispose]();
      await server.stop();
      await rm(server.baseDir, { recursive: true, force: true });
      await rm(baseDir, { recursive: true, force: true });
    },
  };
}
