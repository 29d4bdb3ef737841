import type { Approval } from '@berth/contract';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { OptionButtons } from '../approvals/ask.tsx';
import { deliveryTitle, deliveryWords, whyUnknown } from '../approvals/delivery.ts';
import { decidedTitle, isRejection, lateTitle } from '../approvals/words.ts';
import { millis } from '../clock.ts';
import { clockTime } from '@berth/client/words';
import { lately } from '../store/format.ts';
import { wordsOf } from '../store/chat.ts';
import { refusedBy } from '../hosts/browser.ts';
import { Icon } from '../ui/icon.tsx';
import { Line } from '../ui/line.tsx';
import { writeAddress, type Place } from './address.ts';
import type { Desk, DeskState } from './desk.ts';

/** Oldest first, and never reordered while it is open: what was answered stays where it stood until the person leaves. */
export function Inbox(props: {
  desk: Desk;
  state: DeskState;
  show: 'waiting' | 'decided';
  now: number;
  go: (place: Place, replace?: boolean) => void;
}): JSX.Element {
  const { desk, state, show, now, go } = props;
  const [held, setHeld] = useState<ReadonlyMap<string, Approval>>(new Map());
  const [late, setLate] = useState<ReadonlySet<string>>(new Set());
  const [decided, setDecided] = useState<readonly Approval[] | null>(null);
  const [refusals, setRefusals] = useState<ReadonlyMap<string, string>>(new Map());
  const hold = (approval: Approval) =>
    setHeld((before) => new Map(before).set(approval.id, approval));
  useEffect(() => {
    for (const approval of state.approvals.values())
      if (held.get(approval.id) !== approval) hold(approval);
    // It left the list: somebody answered it, or the agent no longer waits. What became of it stands in its place.
    for (const approval of held.values())
      if (approval.state === 'waiting' && !state.approvals.has(approval.id))
        desk.approval(approval.id).then(hold, () => hold({ ...approval, state: 'superseded' }));
  }, [state.approvals]);
  useEffect(() => {
    if (show === 'decided') desk.decided().then(setDecided, () => setDecided([]));
  }, [show, desk]);
  const list = [...new Map([...held, ...state.approvals]).values()].sort(
    (a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id),
  );
  const waiting = list.filter((approval) => approval.state === 'waiting').length;
  const refuse = (id: string, words: string | null) =>
    setRefusals((before) => {
      const after = new Map([...before].filter(([other]) => other !== id));
      return words === null ? after : after.set(id, words);
    });
  const decide = async (approval: Approval, optionId: string): Promise<void> => {
    try {
      hold(await desk.decide(approval, optionId));
      refuse(approval.id, null);
    } catch (error) {
      const { refusal } = refusedBy(error);
      if (refusal.code !== 'already-decided') refuse(approval.id, wordsOf(refusedBy(error)));
      else {
        setLate((before) => new Set(before).add(approval.id));
        await desk.approval(approval.id).then(hold, () => undefined);
      }
    }
  };
  return (
    <>
      <div class="bar">
        <h1>Approvals</h1>
        <div class="seg" role="group" aria-label="Show">
          <button
            type="button"
            aria-pressed={show === 'waiting'}
            onClick={() => go({ screen: 'approvals', show: 'waiting' }, true)}
          >
            {`Waiting ${waiting}`}
          </button>
          <button
            type="button"
            aria-pressed={show === 'decided'}
            onClick={() => go({ screen: 'approvals', show: 'decided' }, true)}
          >
            Decided
          </button>
        </div>
      </div>
      <div class="scroll0" tabIndex={0} role="region" aria-label="Approvals">
        {show === 'decided' ? (
          <div class="decided">
            {(decided ?? []).map((approval) => (
              <DecidedRow key={approval.id} approval={approval} me={state.me.id} />
            ))}
          </div>
        ) : list.length === 0 ? (
          <div class="blank">
            <h2>Nothing waits for you</h2>
            <p>Questions of all agents appear here, also while no session is open.</p>
          </div>
        ) : (
          <ul class="inbox" aria-label="Approvals">
            {list.map((approval) => (
              <li key={approval.id}>
                {approval.state === 'waiting' ? (
                  <WaitingItem
                    approval={approval}
                    now={now}
                    refusal={refusals.get(approval.id) ?? null}
                    onDecide={(optionId) => decide(approval, optionId)}
                  />
                ) : (
                  <DecidedRow approval={approval} me={state.me.id} late={late.has(approval.id)} />
                )}
              </li>
            ))}
          </ul>
        )}
      </div>
    </>
  );
}

function WaitingItem(props: {
  approval: Approval;
  now: number;
  refusal: string | null;
  onDecide: (optionId: string) => Promise<void>;
}): JSX.Element {
  const { approval, now, refusal, onDecide } = props;
  const ofDelivery = approval.about === 'delivery';
  return (
    <>
      <div class="from">
        <Icon name={ofDelivery ? 'question' : 'report'} tone="waiting" />
        <b class="cut" title={approval.sessionTitle}>
          {approval.sessionTitle}
        </b>
        <span class="cut">{approval.agentName}</span>
        <span class="grow" />
        <span class="num">{lately(millis(approval.createdAt), now)}</span>
      </div>
      <div class="in24">
        {ofDelivery ? (
          <p>{`${deliveryTitle} ${whyUnknown({})} ${deliveryWords}`}</p>
        ) : (
          <div class="ask__cmd">{approval.title}</div>
        )}
        {approval.facts && approval.facts.length > 0 ? (
          <dl class="facts">
            {approval.facts.map((fact) => (
              <>
                <dt>{fact.label.charAt(0).toUpperCase() + fact.label.slice(1)}</dt>
                <dd>{fact.value}</dd>
              </>
            ))}
          </dl>
        ) : null}
        {refusal ? (
          <p class="bad" role="alert">
            {refusal}
          </p>
        ) : null}
        <div class="acts">
          <OptionButtons
            options={approval.options}
            revision={`${approval.id}/${approval.revision}`}
            canDecide
            ofDelivery={ofDelivery}
            onDecide={onDecide}
          />
          <span class="grow" />
          <a href={writeAddress({ screen: 'session', id: approval.sessionId })}>Open session</a>
        </div>
      </div>
    </>
  );
}

function DecidedRow(props: { approval: Approval; me: string; late?: boolean }): JSX.Element {
  const { approval, me, late } = props;
  const by = approval.decidedBy;
  const who = by ? (by.id === me ? 'You' : by.name) : null;
  const option = approval.options.find(({ optionId }) => optionId === approval.optionId);
  const denied = approval.state !== 'decided' || isRejection(option);
  const message = approval.about === 'delivery' ? approval.facts?.[0]?.value : undefined;
  const words = (late ? lateTitle : decidedTitle)({ ...approval, optionId: approval.optionId });
  const at = clockTime(millis(approval.decidedAt ?? approval.createdAt));
  return (
    <Line
      icon={approval.state === 'expired' ? 'clockface' : denied ? 'circle-slash' : 'pass'}
      tone={denied ? 'off' : 'ok'}
      what={words}
      object={message ?? approval.title}
      meta={[who, at].filter(Boolean).join(', ')}
    />
  );
}
