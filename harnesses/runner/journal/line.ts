import { crc32 } from 'node:zlib';

/** One line of a journal: checksum, space, JSON. A line that a crash tore does not bear its checksum. */
export function encodeLine(value: unknown): string {
  const json = JSON.stringify(value);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

export interface Lines {
  values: { value: unknown; from: number; to: number }[];
  /** Bytes up to the end of the last good line before the first bad one. */
  goodBytes: number;
  /** Good lines follow a bad one: no crash of ours does that, the disk lost something. */
  damaged: boolean;
}

/** Pure. Reads as far as the lines are whole. */
export function decodeLines(bytes: Buffer): Lines {
  const values: Lines['values'] = [];
  let goodBytes = 0;
  let bad = false;
  let damaged = false;
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) break;
    const value = decodeLine(bytes.toString('utf8', at, end));
    if (value === undefined) bad = true;
    else if (bad) damaged = true;
    else {
      values.push({ value, from: at, to: end + 1 });
      goodBytes = end + 1;
    }
    at = end + 1;
  }
  return { values, goodBytes, damaged };
}

function decodeLine(line: string): unknown {
  const json = line.slice(9);
  if (line.charAt(8) !== ' ' || crc32(json).toString(16).padStart(8, '0') !== line.slice(0, 8))
    return undefined;
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}
