import ipaddr from 'ipaddr.js';

/** Addresses that the operator opened although they are not public: `10.1.0.0/16` (port 443) or `10.1.0.0/16@8443`. */
export interface TrustedRange {
  readonly cidr: [ipaddr.IPv4 | ipaddr.IPv6, number];
  readonly port: number;
}

/** Throws a RangeError that names the entry. */
export function parseTrusted(text: string): TrustedRange[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [range = '', port = '443'] = entry.split('@');
      try {
        const cidr = range.includes('/')
          ? ipaddr.parseCIDR(range)
          : ipaddr.parseCIDR(`${range}/${range.includes(':') ? '128' : '32'}`);
        const number = Number(port);
        if (!Number.isInteger(number) || number < 1 || number > 65_535)
          throw new RangeError('port');
        return { cidr, port: number };
      } catch (cause) {
        throw new RangeError(
          `"${entry}" is not a range of addresses like 10.1.0.0/16 or 10.1.0.0/16@8443`,
          { cause },
        );
      }
    });
}

/** Cloud metadata: never, whatever the operator listed. */
const metadata = new Set(['169.254.169.254', 'fd00:ec2::254', '100.100.100.200']);

/** Checked on the address that the socket is about to dial, so that a name cannot change its answer in between. */
export function mayDial(address: string, port: number, trusted: readonly TrustedRange[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  // `process` unmaps ::ffff:127.0.0.1 to 127.0.0.1.
  const plain = ipaddr.process(address);
  if (metadata.has(plain.toString())) return false;
  const isTrusted = trusted.some(
    (range) =>
      range.port === port && range.cidr[0].kind() === plain.kind() && plain.match(range.cidr),
  );
  return isTrusted || (port === 443 && plain.range() === 'unicast');
}
