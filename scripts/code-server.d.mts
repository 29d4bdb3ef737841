export function codeServerPaths(): { folder: string; node: string; entry: string };
export function codeServerRunsHere(): boolean;
export function ensureCodeServer(root: string): void;
