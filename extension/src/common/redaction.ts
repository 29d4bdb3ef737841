/** What must never stand in a log: tokens of ours, bearer headers, tickets and passwords in addresses. */
const rules: readonly [RegExp, string][] = [
  [/berth_[A-Za-z0-9-]+_[A-Za-z0-9_-]+/g, 'berth_…'],
  [/\b(bearer|basic)\s+[^\s"',;]+/gi, '$1 …'],
  [/([?&](?:ticket|token|code|key|secret)=)[^&\s"'#]*/gi, '$1…'],
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/:@]+:[^\s/@]+@/gi, '$1…@'],
];

export function redact(text: string): string {
  let clean = text;
  for (const [found, instead] of rules) clean = clean.replaceAll(found, instead);
  return clean;
}
