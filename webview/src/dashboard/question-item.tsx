import { plainText, type Session, type Turn } from '@berth/contract';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useGrace } from '../approvals/ask.tsx';
import { answers, deliveryWords, whyUnknown, type Answer } from '../approvals/delivery.ts';
import { millis } from '../clock.ts';
import { wordsOf } from '../store/chat.ts';
import { headline, lately } from '../store/format.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { refusedBy } from '../hosts/browser.ts';
import { writeAddress } from './address.ts';
import type { Desk } from './desk.ts';

/** A message of which nobody knows whether it arrived: the same three answers as in the chat, none of them the primary one. */
export function QuestionItem(props: { desk: Desk; session: Session; now: number }): JSX.Element {
  const { desk, session, now } = props;
  const [turn, setTurn] = useState<Turn | null>(null);
  const [pressed, setPressed] = useState<Answer | null>(null);
  const [refusal, setRefusal] = useState<string | null>(null);
  const ready = useGrace(session.id);
  useEffect(() => {
    let current = true;
    desk.unknownTurn(session.id).then(
      (found) => current && setTurn(found),
      (error: unknown) => current && setRefusal(wordsOf(refusedBy(error))),
    );
    return () => {
      current = false;
    };
  }, [desk, session.id, session.statusSince]);
  const settle = async (answer: Answer): Promise<void> => {
    if (!ready || turn === null) return;
    setPressed(answer);
    setRefusal(null);
    await desk
      .settle(session.id, turn.id, answer)
      .catch((error: unknown) => setRefusal(wordsOf(refusedBy(error))));
    setPressed(null);
  };
  return (
    <>
      <div class="from">
        <Icon name="question" tone="waiting" />
        <b class="cut" title={session.title}>
          {session.title}
        </b>
        <span class="cut">{session.agentName}</span>
        <span class="grow" />
        <span class="num">{lately(millis(session.statusSince), now)}</span>
      </div>
      <div class="in24">
        <p>
          {turn === null
            ? 'Did the last message reach the agent?'
            : `Did the message “${headline(plainText(turn.prompt), 80)}” reach the agent?`}{' '}
          {`${whyUnknown(turn)} ${deliveryWords}`}
        </p>
        {refusal ? (
          <p class="bad" role="alert">
            {refusal}
          </p>
        ) : null}
        <div class="acts">
          {answers.map(([answer, words]) => (
            <Button
              key={answer}
              disabled={turn === null || pressed !== null}
              busy={pressed === answer}
              onPress={() => settle(answer)}
            >
              {words}
            </Button>
          ))}
          <span class="grow" />
          <a href={writeAddress({ screen: 'session', id: session.id })}>Open session</a>
        </div>
      </div>
    </>
  );
}
