import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Without a process for each: a session's start waits for them. Not synced: whoever starts the sandbox again puts them again. */
export async function putFiles(
  files: readonly { path: string; content: string; overwrite: boolean }[],
): Promise<void> {
  for (const { path: at, content, overwrite } of files) {
    if (!overwrite && (await isThere(at))) continue;
    await mkdir(path.dirname(at), { recursive: true });
    const beside = `${at}.berth`;
    await writeFile(beside, content);
    await rename(beside, at);
  }
}
const isThere = (at: string): Promise<boolean> =>
  access(at).then(
    () => true,
    () => false,
  );
