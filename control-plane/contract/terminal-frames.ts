/** Frames of the terminal socket (API.md §5). Binary, first byte the type, integers big endian. */
export const terminalProtocol = 'berth.terminal.v1';
export const frameType = { data: 0x00, resize: 0x01, ack: 0x02, exit: 0x03, screen: 0x04 } as const;

export type TerminalFrame =
  | { type: 'data'; offset: number; bytes: Uint8Array }
  | { type: 'keys'; bytes: Uint8Array }
  | { type: 'resize'; cols: number; rows: number }
  | { type: 'ack'; offset: number }
  | { type: 'exit'; exitCode: number }
  | { type: 'screen'; offset: number; cols: number; rows: number; bytes: Uint8Array };

/** The server holds back when more than this is unacknowledged. */
export const terminalWindowBytes = 1024 * 1024;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function put(size: number, type: number): [Uint8Array<ArrayBuffer>, DataView] {
  const bytes = new Uint8Array(size);
  bytes[0] = type;
  return [bytes, view(bytes)];
}

export function encodeTerminalFrame(frame: TerminalFrame): Uint8Array<ArrayBuffer> {
  switch (frame.type) {
    case 'data': {
      const [bytes, at] = put(9 + frame.bytes.length, frameType.data);
      at.setBigUint64(1, BigInt(frame.offset));
      bytes.set(frame.bytes, 9);
      return bytes;
    }
    case 'keys': {
      const [bytes] = put(1 + frame.bytes.length, frameType.data);
      bytes.set(frame.bytes, 1);
      return bytes;
    }
    case 'resize': {
      const [bytes, at] = put(5, frameType.resize);
      at.setUint16(1, frame.cols);
      at.setUint16(3, frame.rows);
      return bytes;
    }
    case 'ack': {
      const [bytes, at] = put(9, frameType.ack);
      at.setBigUint64(1, BigInt(frame.offset));
      return bytes;
    }
    case 'exit': {
      const [bytes, at] = put(5, frameType.exit);
      at.setInt32(1, frame.exitCode);
      return bytes;
    }
    case 'screen': {
      const [bytes, at] = put(13 + frame.bytes.length, frameType.screen);
      at.setBigUint64(1, BigInt(frame.offset));
      at.setUint16(9, frame.cols);
      at.setUint16(11, frame.rows);
      bytes.set(frame.bytes, 13);
      return bytes;
    }
  }
}

/** `from`: who sent it; a data frame has an offset only when the server sent it. Null: not a frame of this protocol. */
export function decodeTerminalFrame(
  bytes: Uint8Array,
  from: 'server' | 'viewer',
): TerminalFrame | null {
  const at = view(bytes);
  const size = bytes.length;
  switch (bytes[0]) {
    case frameType.data:
      if (from === 'viewer') return { type: 'keys', bytes: bytes.subarray(1) };
      return size < 9
        ? null
        : { type: 'data', offset: Number(at.getBigUint64(1)), bytes: bytes.subarray(9) };
    case frameType.resize:
      return size === 5 ? { type: 'resize', cols: at.getUint16(1), rows: at.getUint16(3) } : null;
    case frameType.ack:
      return size === 9 ? { type: 'ack', offset: Number(at.getBigUint64(1)) } : null;
    case frameType.exit:
      return size === 5 ? { type: 'exit', exitCode: at.getInt32(1) } : null;
    case frameType.screen:
      if (size < 13) return null;
      return {
        type: 'screen',
        offset: Number(at.getBigUint64(1)),
        cols: at.getUint16(9),
        rows: at.getUint16(11),
        bytes: bytes.subarray(13),
      };
    default:
      return null;
  }
}
