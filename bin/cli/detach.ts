/**
 * `Ctrl-] d` detaches; `Ctrl-] Ctrl-]` sends one `Ctrl-]`; `Ctrl-]` and anything else sends both. Pure: what of the keys goes on, and
 * whether it is over. `pending`: a `Ctrl-]` whose next key has not come yet.
 */
export interface Keys {
  readonly pending: boolean;
}
const escape = 0x1d;
const letterD = 0x64;

export function takeKeys(
  state: Keys,
  keys: Uint8Array,
): { state: Keys; forward: Uint8Array<ArrayBuffer>; detach: boolean } {
  const forward: number[] = [];
  let pending = state.pending;
  for (const key of keys) {
    if (pending) {
      pending = false;
      if (key === letterD)
        return { state: { pending }, forward: Uint8Array.from(forward), detach: true };
      forward.push(escape);
      if (key !== escape) forward.push(key);
    } else if (key === escape) pending = true;
    else forward.push(key);
  }
  return { state: { pending }, forward: Uint8Array.from(forward), detach: false };
}
