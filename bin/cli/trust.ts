import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { readCaFile } from '@berth/client/node';
import { textOf, type Values } from './args.ts';
import { exitCode, Refused } from './context.ts';

/** `--ca-file` or BERTH_CA_FILE: authorities that this program trusts besides those of the system. */
export function trust(values: Values, env: Readonly<Record<string, string | undefined>>): void {
  const path = textOf(values, 'ca-file') ?? textOf({ file: env['BERTH_CA_FILE'] }, 'file');
  if (path === undefined) return;
  let pem: string;
  try {
    pem = readCaFile(path);
  } catch (error) {
    throw new Refused(error instanceof Error ? error.message : String(error), exitCode.usage);
  }
  setDefaultCACertificates([...getCACertificates('default'), pem]);
}
