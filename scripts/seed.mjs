// What a developer wants to look at: a second agent, a long conversation, a waiting approval, a failed turn. Only into a server that has no session yet.
import { randomUUID } from 'node:crypto';

/** `server`: the content of local.json. */
export async function seed({ url, token }) {
  const call = async (method, path, body) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'idempotency-key': randomUUID(),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!response.ok)
      throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  if ((await call('GET', '/sessions?limit=1')).items.length > 0) return false;
  const asking = (await call('GET', '/agents')).items.find(({ name }) => name === 'Rehearsal');
  const working = await call('POST', '/agents', {
    name: 'Night shift',
    harness: 'rehearsal',
    mode: 'auto',
  });
  const start = (agentId, ...lines) =>
    call('POST', '/sessions', { agentId, prompt: [{ type: 'text', text: lines.join('\n') }] });
  const long = Array.from({ length: 60 }, (_, index) => [
    `/think Step ${index + 1} of a long night`,
    `/read README.md`,
    `/write notes/${index + 1}.md What was found in step ${index + 1}`,
    `/say **Step ${index + 1}** is done. \`notes/${index + 1}.md\` says what was found.`,
  ]).flat();
  await start(
    working.id,
    '/write README.md A place for notes',
    '/plan look; write; explain',
    ...long,
  );
  await start(working.id, '/say I try', '/fail The rehearsal was told to fail');
  if (asking) await start(asking.id, '/think Careful', '/run rm -rf build');
  return true;
}
