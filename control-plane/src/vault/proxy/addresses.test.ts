import { expect, test } from 'vitest';
import { mayDial, parseTrusted } from './addresses.ts';

const trusted = parseTrusted('10.1.0.0/16, 127.0.0.1/32@8443, fd00:1::/32, 169.254.0.0/16');

test.each([
  ['93.184.216.34', 443, true],
  ['93.184.216.34', 80, false],
  ['2606:2800:220:1::1', 443, true],
  ['127.0.0.1', 443, false],
  ['127.0.0.1', 8443, true],
  ['127.0.0.2', 8443, false],
  ['::ffff:127.0.0.1', 443, false],
  ['::ffff:127.0.0.1', 8443, true],
  ['10.1.2.3', 443, true],
  ['10.2.2.3', 443, false],
  ['192.168.1.1', 443, false],
  ['100.64.0.1', 443, false],
  ['0.0.0.0', 443, false],
  ['224.0.0.1', 443, false],
  ['::1', 443, false],
  ['fe80::1', 443, false],
  ['fd00:1::5', 443, true],
  ['fd00:2::5', 443, false],
  ['64:ff9b::7f00:1', 443, false],
  ['169.254.169.254', 443, false], // metadata, although the range is listed
  ['169.254.1.1', 443, true],
  ['not an address', 443, false],
])('mayDial(%s, %d) = %s', (address, port, allowed) => {
  expect(mayDial(address, port, trusted)).toBe(allowed);
});

test.each(['nonsense', '10.0.0.0/99', '10.0.0.0/8@0', '10.0.0.0/8@x'])(
  '%s is refused by name',
  (entry) => {
    expect(() => parseTrusted(`10.0.0.0/8,${entry}`)).toThrow(
      `"${entry}" is not a range of addresses`,
    );
  },
);
