import * as z from 'zod/mini';

/**
 * `harnesses/<id>/harness.json`: how one kind of coding agent runs. Texts may hold `${…}` variables, filled by the runner when it starts
 * the agent: `${model}`, `${modelUrl}` (loopback base URL of the model port, no path), `${workspace}`, `${home}`, `${agents}` (the folder in
 * which this harness is installed), `${node}` (Node's binary), `${agentSessionId}`, `${mode}` (Berth's name), `${acpMode}` (the agent's), `${instructions}` (empty when
 * there are none), `${secret:<name>}` (random, per sandbox). `${json:model}` is the same text, safe inside a JSON or TOML string.
 */
const argv = z.array(z.string()).check(z.minLength(1));
const environment = z.record(z.string(), z.string());
function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

/**
 * After a death the runner opens the conversation again: by `session/resume` when no turn is open, else by `session/load`, whose replayed user
 * messages tell whether the open turn had arrived. All fields are optional; absent is what the protocol says.
 */
export const reopenQuirks = z.strictObject({
  /** Run to its end in the sandbox before each `session/load`, with the agent's own environment. Another end than 0 is said in the log, and the load is tried. */
  beforeLoad: z.optional(argv),
  /** It answers `session/load` before it has replayed everything: nothing is judged or prompted until it was silent for so long. */
  quietMs: z.optional(z.int().check(z.positive(), z.maximum(10_000))),
  /** Offered, but it does not bring the conversation back: `load` is used instead. */
  resume: z.optional(z.literal(false)),
  /**
   * JSON-RPC codes by which `session/load` says that it has no such conversation. It is begun anew and told what was said. Default: -32002. Any
   * other code is asked again once in the same process, then taken as the same.
   */
  lostCodes: z.optional(z.array(z.int())),
  /**
   * Words of a refused prompt by which it says, beside the code -32002, that what held the conversation has died inside of it. Its process is ended then, and the
   * turn is settled as after any death.
   */
  lostWords: z.optional(z.array(z.string().check(z.minLength(1)))),
  /** Matches what the agent itself puts into its history as messages of a person. */
  ownWords: z.optional(z.string().check(z.refine(isPattern, 'not a regular expression'))),
});
export type ReopenQuirks = z.infer<typeof reopenQuirks>;

export const harnessRecord = z.strictObject({
  id: z.string().check(z.regex(/^[a-z][a-z0-9-]{0,63}$/)),
  title: z.string(),
  version: z.string(),
  /** Protocol of its model traffic; `none`: it needs no model. */
  protocol: z.enum(['none', 'chat', 'responses', 'messages', 'gemini']),
  /** npm packages at exact versions, with a `package.json` and lock file beside the record; absent: bundled with Berth. */
  install: z.optional(
    z.strictObject({
      lockFile: z.string(),
      packages: z.record(z.string(), z.string()),
      /** Files beside the record that are put into the installation, at `${agents}/<name>`. */
      files: z.optional(z.array(z.string().check(z.regex(/^[a-z0-9][a-z0-9.-]*$/)))),
      /** `${agents}/bin/<name>` → the one file that matches below the installation (`*` within a path segment), whatever the platform calls it. */
      bin: z.record(z.string(), z.string()),
      /** Roughly what it takes on disk, for a progress bar. */
      sizeBytes: z.int(),
    }),
  ),
  acp: z.strictObject({
    argv,
    env: z.optional(environment),
    /** For an agent that tells its mode as a piece of text: matches such a piece, and its first group is the mode. */
    modeText: z.optional(z.string().check(z.refine(isPattern, 'not a regular expression'))),
    /** Text of the agent about itself, which is no answer: its first group is shown as a notice, once. */
    noticeText: z.optional(z.string().check(z.refine(isPattern, 'not a regular expression'))),
  }),
  env: environment,
  /** Written before the agent starts, only where absent unless `overwrite`. */
  files: z.array(
    z.strictObject({ path: z.string(), content: z.string(), overwrite: z.optional(z.boolean()) }),
  ),
  /** Berth's mode → how this agent is told. */
  modes: z.record(
    z.string(),
    z.strictObject({
      name: z.string(),
      description: z.optional(z.string()),
      acpMode: z.optional(z.string()),
      config: z.optional(environment),
      /** Changing to it takes a new agent process. */
      restart: z.optional(z.boolean()),
    }),
  ),
  model: z.strictObject({
    acpConfigOption: z.optional(z.string()),
    acpSetModel: z.optional(z.boolean()),
    restart: z.optional(z.boolean()),
    suggestions: z.optional(z.array(z.string())),
  }),
  /** How its own TUI opens the conversation: `attach` beside the chat, `handover` instead of it. */
  terminal: z.strictObject({
    kind: z.enum(['attach', 'handover', 'none']),
    argv: z.optional(argv),
    env: z.optional(environment),
  }),
  /** Where its state lives below `${home}`, for people who look. */
  state: z.array(z.string()),
  timeouts: z.strictObject({
    initializeMs: z.int(),
    newSessionMs: z.int(),
    loadMs: z.int(),
    cancelMs: z.int(),
  }),
  /** How an old conversation is opened again, where this agent is not as the protocol says. Used by `harnesses/runner/session`. */
  reopen: z.optional(reopenQuirks),
  /** What is odd about it, in words, for people who look. */
  quirks: z.optional(z.array(z.string())),
});
export type HarnessRecord = z.infer<typeof harnessRecord>;

/** Fills `${name}`, and `${json:name}` with the inside of a JSON (and TOML) string; an unknown name is a bug of the record and throws. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$\{(json:)?([^}]+)\}/g,
    (_whole, json: string | undefined, name: string) => {
      const value = values[name];
      if (value === undefined)
        throw new Error(`harness record names an unknown variable: \${${name}}`);
      return json === undefined ? value : JSON.stringify(value).slice(1, -1);
    },
  );
}
