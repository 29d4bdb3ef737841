import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  absent,
  judged,
  lastJudged,
  refused,
  seccompProgram,
  verdict,
  type Architecture,
} from './seccomp.ts';

const audit: Record<Architecture, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** The kernel's interpreter, as far as the program uses it. Reads the bytes, so that the encoding is tested too. */
function judge(
  architecture: Architecture,
  number: number,
  args: number[] = [],
  from = audit[architecture],
): number {
  const program = seccompProgram(architecture);
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(from, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(BigInt(value), 16 + 8 * index);
  let a = 0;
  for (let at = 0; at * 8 < program.length; at++) {
    const code = program.readUInt16LE(at * 8);
    const [ifTrue, ifFalse] = [program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3)];
    const value = program.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return value;
    if (code === 0x20) a = data.readUInt32LE(value);
    else if (code === 0x15) at += a === value ? ifTrue : ifFalse;
    else if (code === 0x25) at += a > value ? ifTrue : ifFalse;
    else if (code === 0x45) at += (a & value) !== 0 ? ifTrue : ifFalse;
    else throw new Error(`instruction ${code.toString(16)}`);
  }
  throw new Error('ran off the end');
}
const { allow, kill } = verdict;
const eperm = verdict.refuse('EPERM');
const enosys = verdict.refuse('ENOSYS');
const noFamily = verdict.refuse('EAFNOSUPPORT');
const both = ['x64', 'arm64'] as const;

test.each(both)('%s: every number has the verdict of its table', (architecture) => {
  const at = architecture === 'x64' ? 0 : 1;
  const numbers = (table: Record<string, readonly [number, number]>) =>
    new Set(Object.values(table).map((pair) => pair[at]));
  const [no, none, byArgument] = [numbers(refused), numbers(absent), numbers(judged)];
  for (let number = 0; number <= lastJudged; number++) {
    if (byArgument.has(number)) continue;
    const expected = no.has(number) ? eperm : none.has(number) ? enosys : allow;
    expect([number, judge(architecture, number)]).toEqual([number, expected]);
  }
});

test.each(both)('%s: unknown numbers do not exist, foreign architectures die', (architecture) => {
  for (const number of [lastJudged + 1, 500, 0x40000000, 0x40000038, 0xffffffff])
    expect(judge(architecture, number)).toBe(enosys);
  for (const from of [0x40000003, 0x40000028, audit[architecture === 'x64' ? 'arm64' : 'x64'], 0])
    expect(judge(architecture, 1, [], from)).toBe(kill);
});

const high = 0x1_0000_0000;
test.each<[keyof typeof judged, number[], number]>([
  ['clone', [0x11], allow],
  ['clone', [0x3d0f00], allow], // a thread
  ['clone', [0x10000011], eperm], // NEWUSER
  ['clone', [0x20011], eperm], // NEWNS
  ['clone', [0x40000000], eperm], // NEWNET
  ['ioctl', [0, 0x5401], allow],
  ['ioctl', [0, 0x5413], allow],
  ['ioctl', [0, 0x5412], eperm],
  ['ioctl', [0, 0x5412 + high], eperm], // the kernel looks at the low word
  ['ioctl', [0, 0x541c], eperm],
  ['socket', [1, 1, 0], allow],
  ['socket', [2, 1, 6], allow],
  ['socket', [10, 2, 17], allow],
  ['socket', [16, 3, 0], allow],
  ['socket', [16, 3, 9], noFamily], // audit
  ['socket', [16, 3, 15], noFamily], // uevent
  ['socket', [17, 3, 0], noFamily], // packet
  ['socket', [38, 5, 0], noFamily], // alg
  ['socket', [40, 1, 0], noFamily], // vsock
  ['socketpair', [1, 1], allow],
  ['socketpair', [2, 1], noFamily],
  ['personality', [0], allow],
  ['personality', [0xffffffff], allow],
  ['personality', [0x40000], allow],
  ['personality', [0x400000], eperm], // READ_IMPLIES_EXEC
])('%s(%j)', (name, args, expected) => {
  for (const [index, architecture] of both.entries())
    expect(judge(architecture, judged[name][index] ?? -1, args)).toBe(expected);
});

const headers = {
  x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
  arm64: '/usr/include/asm-generic/unistd.h',
} as const;
test.skipIf(!both.every((name) => existsSync(headers[name])))(
  'the numbers are those of the kernel headers',
  () => {
    for (const [index, architecture] of both.entries()) {
      const known = new Map<string, number>();
      const text = readFileSync(headers[architecture], 'utf8');
      for (const found of text.matchAll(/#define __NR(?:3264)?_(\w+)\s+(\d+)/g))
        known.set(found[1] ?? '', Number(found[2]));
      expect(known.size).toBeGreaterThan(200);
      const newest = Math.max(...known.values());
      for (const [name, numbers] of Object.entries({ ...refused, ...absent, ...judged })) {
        const number = numbers[index] ?? -1;
        if (number > newest) continue; // newer than these headers
        expect([architecture, name, number]).toEqual([architecture, name, known.get(name) ?? -1]);
      }
    }
  },
);
