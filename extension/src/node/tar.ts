/** A tar stream of plain files, directories and links, as POSIX writes it. Names that do not fit a header get an extended one. */
export interface TarEntry {
  /** Relative, with slashes. */
  readonly name: string;
  readonly kind: 'file' | 'link';
  readonly mode: number;
  readonly modifiedMs: number;
  /** Of a link. */
  readonly target: string;
  readonly sizeBytes: number;
}

const block = 512;
const nameBytesMax = 100;
const sizeMax = 0o77777777777;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function octal(header: Uint8Array, at: number, length: number, value: number): void {
  header.set(encode(value.toString(8).padStart(length - 1, '0')), at);
}

function headerOf(entry: TarEntry, type: string, name: Uint8Array, size: number): Uint8Array {
  const header = new Uint8Array(block);
  header.set(name.subarray(0, nameBytesMax), 0);
  octal(header, 100, 8, entry.mode & 0o777);
  octal(header, 108, 8, 0);
  octal(header, 116, 8, 0);
  octal(header, 124, 12, size);
  octal(header, 136, 12, Math.max(0, Math.floor(entry.modifiedMs / 1000)));
  header.fill(0x20, 148, 156);
  header.set(encode(type), 156);
  if (type === '2') header.set(encode(entry.target).subarray(0, nameBytesMax), 157);
  header.set(encode('ustar\u000000'), 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(encode(`${sum.toString(8).padStart(6, '0')}\u0000 `), 148);
  return header;
}

/** One record of an extended header: its length counts itself. */
function record(key: string, value: string): Uint8Array {
  const body = encode(` ${key}=${value}\n`);
  let length = body.length;
  while (String(length).length + body.length !== length)
    length = String(length).length + body.length;
  const whole = new Uint8Array(length);
  const digits = encode(String(length));
  whole.set(digits, 0);
  whole.set(body, digits.length);
  return whole;
}

export const padding = (size: number): Uint8Array =>
  new Uint8Array((block - (size % block)) % block);

/** Everything that stands before an entry's content. */
export function tarHeader(entry: TarEntry): Uint8Array[] {
  const name = encode(entry.name);
  const target = encode(entry.target);
  const pieces: Uint8Array[] = [];
  const records: Uint8Array[] = [];
  if (name.length > nameBytesMax) records.push(record('path', entry.name));
  if (entry.kind === 'link' && target.length > nameBytesMax)
    records.push(record('linkpath', entry.target));
  if (entry.sizeBytes > sizeMax) records.push(record('size', String(entry.sizeBytes)));
  if (records.length > 0) {
    const size = records.reduce((total, one) => total + one.length, 0);
    pieces.push(headerOf(entry, 'x', encode('extended'), size), ...records, padding(size));
  }
  const type = entry.kind === 'link' ? '2' : '0';
  const size = entry.kind === 'link' ? 0 : Math.min(entry.sizeBytes, sizeMax);
  pieces.push(headerOf(entry, type, name, size));
  return pieces;
}
export const tarEnd = (): Uint8Array => new Uint8Array(2 * block);
