/**
 * Only the server's screen answers a program's questions. A viewer that is a real terminal answers them too, and its answers arrive as keys:
 * a frame that holds nothing but such answers is dropped. Pure. (`ESC [ 1 ; 2 R` is also Shift+F3, so a cursor report of row 1 with a modifier's
 * column is let through.)
 */
const esc = '\u001b';
const answers = new RegExp(
  `^(?:${[
    `${esc}\\[[?>=][\\d;]*c`, // device attributes
    `${esc}\\[0n`, // status
    `${esc}\\[(?!1;[2-8]R)\\??\\d+;\\d+(?:;\\d+)?R`, // cursor position
    `${esc}\\[\\??[\\d;]+\\$y`, // mode
    `${esc}\\](?:4;\\d+|1[0-9]);[^${esc}\\u0007]*(?:\\u0007|${esc}\\\\)`, // colours
    `${esc}P[01]\\$r[^${esc}]*${esc}\\\\`, // settings
    `${esc}P>\\|[^${esc}]*${esc}\\\\`, // name and version
    `${esc}\\[\\d+;\\d+;\\d+t`, // window
  ].join('|')})+$`,
);
export function onlyReplies(bytes: Uint8Array): boolean {
  if (bytes.length < 3 || bytes.length > 512 || bytes[0] !== 0x1b) return false;
  return answers.test(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
}
