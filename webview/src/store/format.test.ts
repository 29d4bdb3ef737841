import { describe, expect, test } from 'vitest';
import { count, duration, money, when } from '@berth/client/words';
import { exactDuration, headline, lately, progressWords, runningFor, shortPath } from './format.ts';

const at = (day: number, hour: number, minute: number) =>
  new Date(2026, 10, day, hour, minute).getTime();
test.each<[string, string]>([
  [duration(0), '0.0 s'],
  [duration(380), '0.4 s'],
  [duration(9_940), '9.9 s'],
  [duration(9_960), '10 s'],
  [duration(59_400), '59 s'],
  [duration(59_600), '1 min'],
  [duration(4 * 60_000), '4 min'],
  [duration(72 * 60_000), '1 h 12 min'],
  [duration(120 * 60_000), '2 h'],
  [duration(-5), '0.0 s'],
  [exactDuration(112_000), '1 min 52 s'],
  [exactDuration(120_000), '2 min'],
  [runningFor(8_900), '8 s'],
  [runningFor(61_000), '1 min'],
  [progressWords({ done: 156_156_766, total: 660_000_000, unit: 'bytes' }), '149 MB of 629 MB'],
  [progressWords({ done: 12.4, total: 100, unit: '%' }), '12 of 100 %'],
  [money('2.305'), '$2.31'],
  [money('0.004'), '<$0.01'],
  [money('0'), '$0.00'],
  [count(1, 'file'), '1 file'],
  [count(2, 'file'), '2 files'],
  [when(at(22, 9, 5), at(22, 20, 0)), '09:05'],
  [when(at(21, 23, 59), at(22, 0, 1)), 'yesterday'],
  [when(at(20, 12, 0), at(22, 12, 0)), '20 Nov'],
  [lately(at(22, 12, 0), at(22, 12, 0) + 20_000), 'now'],
  [lately(at(22, 12, 0), at(22, 12, 18)), '18 min'],
  [lately(at(22, 12, 0), at(22, 15, 18)), '3 h'],
  [shortPath('src/refunds/policy.ts', 40), 'src/refunds/policy.ts'],
  [shortPath('packages/checkout/src/refunds/policy.ts', 20), '…/refunds/policy.ts'],
  [headline('  one two\nthree'), 'one two'],
])('%s = %s', (value, expected) => expect(value).toBe(expected));

describe('a headline', () => {
  test('is cut on a word', () => {
    const text = headline(
      'Refunds older than ninety days answer with the wrong code and nobody knows why',
    );
    expect(text).toBe('Refunds older than ninety days answer with the wrong code…');
    expect(text.length).toBeLessThanOrEqual(61);
  });
});
