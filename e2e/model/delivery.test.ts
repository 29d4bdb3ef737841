import { expect, test } from 'vitest';
import { explore } from './explore.ts';
import { begin, rules, type Rules } from './world.ts';

/** docs/delivery.md in the small: everything that may happen, in any order, with so many deaths, and the promises that hold in each state. */
const most = 400_000;
type Start = Parameters<typeof begin>[0];
const worlds: Record<string, { start: Start; agentWorks: boolean }> = {
  'one message, two deaths at any moment': { start: { turns: 1, crashes: 2 }, agentWorks: true },
  'two messages, one of them withdrawn, one death': {
    start: { turns: 2, crashes: 1, people: { withdraw: true } },
    agentWorks: true,
  },
  'an agent that ends only when it is told to, two deaths': {
    start: { turns: 1, crashes: 2, people: { cancel: true } },
    agentWorks: false,
  },
  'a disk that is put back to an earlier state': {
    start: { turns: 1, crashes: 2, backups: 1, people: {} },
    agentWorks: true,
  },
};

test.each(Object.entries(worlds))(
  '%s: nothing lost, nothing doubled',
  (_name, { start, agentWorks }) => {
    const found = explore(rules, begin(start), { agentWorks, most });
    expect(found.fault).toBeNull();
    // It did go through something.
    expect(found.states).toBeGreaterThan(3000);
  },
  120_000,
);

const anyone: Start = { turns: 1, crashes: 2 };
const broken: [string, Partial<Rules>, string, Start?, boolean?][] = [
  [
    'what is absent is sent again, though it was told to go on',
    { settlement: (turn, verdict) => rules.settlement({ ...turn, arrived: false }, verdict) },
    'never delivered twice',
    { turns: 1, crashes: 3, people: {} },
  ],
  [
    'a look is believed for ever',
    { look: (ledger, turn, messages) => rules.look({ ...ledger, given: true }, turn, messages) },
    'unknown only when journal and history cannot tell',
  ],
  [
    'what is not seen is taken for absent',
    {
      look: (ledger, turn, messages) => {
        const seen = rules.look(ledger, turn, messages);
        return seen === 'present' ? 'absent' : seen;
      },
    },
    'never delivered twice',
  ],
  ['the agent hears before the disk', { syncFirst: false }, 'never delivered twice'],
  ['a repeat is not known', { knowsRepeats: false }, 'never delivered twice'],
  [
    'acknowledged before it is stored',
    { storeFirst: false },
    'never lost',
    { turns: 1, crashes: 1, people: {} },
  ],
  ['nothing is said again', { saysAgain: 'nothing' }, 'never lost'],
  [
    'a wish to stop is not said again',
    { saysAgain: 'turns' },
    'a cancel is never lost',
    { turns: 1, crashes: 1, people: { cancel: true } },
    false,
  ],
  ['a lost journal is not noticed', { noticesLoss: false }, 'never delivered twice'],
  [
    'a journal of the past is acted upon',
    { givesUpOld: false },
    'never delivered twice',
    { turns: 1, crashes: 2, backups: 1, people: {} },
  ],
  [
    'what is sent again has the same id',
    { deliveryId: ({ id }) => id },
    'never lost',
    { turns: 1, crashes: 2, people: { settle: 1 } },
  ],
  [
    'what has left the queue can be withdrawn',
    {
      nextTurnState: (state, event) =>
        event.kind === 'withdrawn' && state === 'sent'
          ? 'cancelled'
          : rules.nextTurnState(state, event),
    },
    'withdrawn or sent, never both',
  ],
  [
    'a message that was withheld counts as given',
    {
      foldNote: (ledger, note) =>
        note.kind === 'withheld' ? ledger : rules.foldNote(ledger, note),
    },
    'unknown only when journal and history cannot tell',
    { turns: 2, crashes: 1, people: { cancel: true } },
  ],
];
test.each(broken)(
  'a broken rule is found: %s',
  (_name, rule, promise, start = anyone, agentWorks = true) => {
    const found = explore({ ...rules, ...rule }, begin(start), { agentWorks, most });
    expect(found.fault?.promise).toBe(promise);
  },
  120_000,
);
