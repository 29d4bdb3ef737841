/** What the first bytes of a tunnel say. Pure; RFC 8446 §4.1.2 and RFC 6066 §3 for the layout. */
export type Greeting =
  { kind: 'more' } | { kind: 'not-tls' } | { kind: 'no-name' } | { kind: 'name'; name: string };

/** A ClientHello may be spread over several TLS records; more than this is not one. */
export const helloBytesMax = 64 * 1024;

/** Joins the handshake bytes of the records that are there; null when they are no handshake records. */
function handshake(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  let at = 0;
  while (bytes.length - at >= 5) {
    if (bytes[at] !== 0x16 || bytes[at + 1] !== 0x03) return null;
    const length = bytes.readUInt16BE(at + 3);
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  if (at < bytes.length && bytes[at] !== 0x16) return null;
  return Buffer.concat(parts);
}

export function readGreeting(bytes: Buffer): Greeting {
  if (bytes.length === 0) return { kind: 'more' };
  const message = handshake(bytes);
  if (message === null) return { kind: 'not-tls' };
  const more: Greeting = bytes.length >= helloBytesMax ? { kind: 'not-tls' } : { kind: 'more' };
  if (message.length < 4) return more;
  if (message[0] !== 0x01) return { kind: 'not-tls' };
  const length = message.readUIntBE(1, 3);
  if (length > helloBytesMax) return { kind: 'not-tls' };
  if (message.length < 4 + length) return more;
  try {
    return serverName(message.subarray(4, 4 + length));
  } catch (cause) {
    if (cause instanceof RangeError) return { kind: 'not-tls' }; // a length that points outside: read*() throws it
    throw cause;
  }
}

function serverName(hello: Buffer): Greeting {
  let at = 2 + 32; // version, random
  at += 1 + hello.readUInt8(at); // session id
  at += 2 + hello.readUInt16BE(at); // cipher suites
  at += 1 + hello.readUInt8(at); // compression methods
  if (at === hello.length) return { kind: 'no-name' };
  const end = at + 2 + hello.readUInt16BE(at);
  at += 2;
  while (at < end) {
    const type = hello.readUInt16BE(at);
    const size = hello.readUInt16BE(at + 2);
    const body = at + 4;
    if (type === 0) {
      // server_name_list length (2), then name_type 0 = host_name, its length (2), the name.
      if (hello.readUInt8(body + 2) !== 0) return { kind: 'not-tls' };
      const length = hello.readUInt16BE(body + 3);
      if (5 + length > size || body + 5 + length > hello.length) return { kind: 'not-tls' };
      return { kind: 'name', name: hello.toString('latin1', body + 5, body + 5 + length) };
    }
    at = body + size;
  }
  return { kind: 'no-name' };
}
