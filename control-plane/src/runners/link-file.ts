import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';

const linkFile = z.object({
  url: z.string(),
  urls: z.optional(z.array(z.string())),
  runnerId: z.string(),
  credential: z.string(),
});
/** `<state>/link.json`: where the runner dials (`urls`: one after the other) and as whom. It reads the file before each attempt, so a control plane that moved is found. */
export type LinkFile = z.infer<typeof linkFile>;

/** Undefined: there is none, or it is not whole; a runner's identity can be made again. */
export async function readLinkFile(stateDir: string): Promise<LinkFile | undefined> {
  let text: string;
  try {
    text = await readFile(join(stateDir, 'link.json'), 'utf8');
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const parsed = z.safeParse(linkFile, JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

export async function writeLinkFile(stateDir: string, content: LinkFile): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await writeWhole(join(stateDir, 'link.json'), `${JSON.stringify(content)}\n`);
}

/** Readable by its owner only, and never half-written. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
