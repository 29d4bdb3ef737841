export function testCache(): string;
export function litellmMissing(): string | null;
export function litellmCommand(): string;
export function ensureLitellm(): void;
