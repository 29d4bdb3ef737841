/** Loaded with the first picture: most conversations have none, and every start of the agent would wait for it. */
const zlib = () => process.getBuiltinModule('node:zlib');

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(zlib().crc32(body), body.length + 4);
  return out;
}

/** A PNG in true colour, one pixel at a time: small enough to need no library. */
export function png(
  width: number,
  height: number,
  pixel: (x: number, y: number) => readonly [number, number, number],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, true colour, no interlace
  const row = 1 + width * 3;
  const raw = Buffer.alloc(row * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) raw.set(pixel(x, y), y * row + 1 + x * 3);
  }
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', zlib().deflateSync(raw)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** What `/image` shows: a harbour at dusk, sky over water with the sun between. */
export const harbour = (): Buffer =>
  png(96, 64, (x, y) => {
    if (Math.hypot(x - 64, y - 30) < 9) return [255, 214, 140];
    return y < 40
      ? [40 + y * 3, 50 + y * 2, 96 + y]
      : (y + (x >> 3)) % 5 === 0
        ? [92, 124, 150]
        : [24, 58, 92];
  });
