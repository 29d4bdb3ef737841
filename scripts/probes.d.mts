/** Where the program is, or will be once pretest has built it. */
export function probePath(name: 'amicontained' | 'cdk'): string;
export function schemathesisPath(): string;
export function ensureProbes(root: string): void;
export function ensureSchemathesis(root: string): void;
