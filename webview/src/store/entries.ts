import type {
  ApprovalOption,
  ContentBlock,
  Payload,
  Person,
  SandboxPhase,
  ToolDiff,
  ToolKind,
  ToolStatus,
  UsageTotals,
} from '@berth/contract';

/** What a conversation is made of. One entry per thing, whatever number of events told of it. */
interface Base {
  /** Unique in the session, the same however the events arrived. */
  readonly id: string;
  /** Its place: the number of its first event, counting superseded ones. */
  readonly order: number;
  /** When it began; for texts, when they were complete. */
  readonly at: number;
}
export interface BootPhase {
  readonly phase: SandboxPhase;
  readonly detail?: string | undefined;
  readonly progress?: { done: number; total: number; unit: string } | undefined;
  readonly at: number;
}
export interface BootEntry extends Base {
  readonly kind: 'boot';
  readonly waking: boolean;
  readonly phases: readonly BootPhase[];
  readonly state: 'starting' | 'ready' | 'failed';
  readonly detail?: string | undefined;
  readonly logs: readonly string[];
  readonly endedAt?: number | undefined;
}
export interface UserEntry extends Base {
  readonly kind: 'user';
  readonly turnId: string;
  readonly content: readonly ContentBlock[];
  readonly by?: Person | undefined;
  /** Typed in the agent's own terminal. */
  readonly via?: 'terminal' | undefined;
}
export interface TextEntry extends Base {
  readonly kind: 'agent' | 'thought';
  readonly text: string;
  readonly content: readonly ContentBlock[] | null;
  readonly open: boolean;
}
export interface ToolEntry extends Base {
  readonly kind: 'tool';
  readonly turnId?: string | undefined;
  readonly toolCallId: string;
  readonly title: string;
  readonly tool: ToolKind;
  readonly status: ToolStatus;
  readonly locations: readonly { path: string; line?: number | undefined }[];
  readonly content: readonly ContentBlock[];
  readonly diff: readonly ToolDiff[];
  readonly rawInput?: unknown;
  readonly output?: Payload<'tool'>['output'];
  readonly exitCode?: number | undefined;
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
}
export interface AskEntry extends Base {
  readonly kind: 'ask';
  readonly approvalId: string;
  readonly revision: number;
  readonly toolCallId?: string | undefined;
  readonly title: string;
  readonly facts: readonly { label: string; value: string }[];
  readonly options: readonly ApprovalOption[];
  readonly state: 'waiting' | 'decided' | 'superseded' | 'expired';
  readonly optionId?: string | undefined;
  readonly by?: Person | undefined;
  readonly note?: string | undefined;
  readonly resolvedAt?: number | undefined;
}
export interface NoticeEntry extends Base {
  readonly kind: 'notice' | 'error';
  readonly code: string;
  readonly text: string;
}
/** The end of a turn; with `state: 'unknown'`, the question whether its message arrived. */
export interface EndEntry extends Base {
  readonly kind: 'end';
  readonly turnId: string;
  readonly state: Payload<'turn.ended'>['state'];
  readonly stopReason?: string | undefined;
  readonly error?: { code: string; detail: string } | undefined;
  readonly usage?: UsageTotals | undefined;
  readonly startedAt?: number | undefined;
  /** The question was answered: the turn went on, or ended. */
  readonly settled: boolean;
}
export type Entry =
  BootEntry | UserEntry | TextEntry | ToolEntry | AskEntry | NoticeEntry | EndEntry;

export const isOver = (tool: ToolEntry): boolean =>
  tool.status === 'completed' || tool.status === 'failed' || tool.status === 'interrupted';
