import { Problem } from '@berth/contract';
import { invalid } from './refusals.ts';
import { limits } from './limits.ts';

const entityTag = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** The version that an `If-Match` names. A tag that is none of ours is a version that nothing has. */
export function versionOf(ifMatch: string | undefined): number {
  if (ifMatch === undefined) {
    throw new Problem(
      'precondition-required',
      'Send If-Match with the ETag of what you change, so that nobody’s change is lost.',
    );
  }
  const version = /^"(\d{1,9})"$/.exec(ifMatch)?.[1];
  if (version !== undefined) return Number(version);
  if (entityTag.test(ifMatch)) throw new Problem('version-stale', 'No version has this tag.');
  throw invalid('If-Match is not an entity tag.', [
    { pointer: 'If-Match', detail: 'must be one ETag, in quotes' },
  ]);
}

/** A file’s tag as the sandbox gave it, quotes and all; `*`: whatever it is, but it must be there. */
export function fileTagOf(ifMatch: string | undefined): string | undefined {
  if (ifMatch === undefined || ifMatch === '*' || /^"[\x21\x23-\x7e]{1,200}"$/.test(ifMatch))
    return ifMatch;
  throw invalid('If-Match is not an entity tag.', [
    { pointer: 'If-Match', detail: 'must be one ETag, in quotes, or *' },
  ]);
}

/** A condition that would not be looked at must not seem to hold: what it is meant to protect would be overwritten. */
export function refuseCondition(name: string, value: string | undefined): void {
  if (value === undefined) return;
  throw invalid(`${name} is not understood here.`, [
    { pointer: name, detail: 'is not known here; If-Match is' },
  ]);
}

/** RFC 7240; what is not understood is ignored, as it says. */
export function waitSecondsOf(prefer: string | undefined): number | null {
  const match = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?/i.exec(prefer ?? '');
  if (match === null) return null;
  return Math.min(Number(match[1]), limits.preferWaitMaxSeconds);
}

/** The type among `offered` that the client likes best; the first when it does not care, or takes none of them. */
export function acceptable<T extends string>(
  accept: string | undefined,
  offered: readonly [T, ...T[]],
): T {
  if (accept === undefined) return offered[0];
  const ranges = accept.split(',').map((part) => {
    const [range = '', ...parameters] = part.trim().toLowerCase().split(';');
    const q = parameters.map((each) => /^\s*q=([\d.]+)/.exec(each)?.[1]).find((each) => each);
    return { range: range.trim(), q: q === undefined ? 1 : Number(q) };
  });
  const quality = (type: string): number => {
    const [group = ''] = type.split('/');
    for (const pattern of [type, `${group}/*`, '*/*']) {
      const found = ranges.find((each) => each.range === pattern);
      if (found !== undefined) return found.q;
    }
    return 0;
  };
  let best: T = offered[0];
  for (const type of offered) if (quality(type) > quality(best)) best = type;
  return best;
}
