/** What the gateway asks of the rest. */
export interface GatewayPorts {
  /** The runner that holds this credential; null: nobody's. */
  authenticate(credential: string): Promise<{ runnerId: string } | null>;
  /** The session as that runner may use it; undefined: not its session. */
  session(runnerId: string, sessionId: string): Promise<{ models: readonly string[] } | undefined>;
  used(
    sessionId: string,
    usage: {
      model: string;
      inputTokens: number;
      outputTokens: number;
      cachedTokens: number;
      costUsd?: string;
    },
  ): void;
  /** Said on the session, at most once a minute for each code. */
  notice(sessionId: string, code: string, text: string): void;
}
