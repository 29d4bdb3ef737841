/** Who asks. Made by `identity` from a token, a cookie or a ticket; every service call takes one, and every query is limited to its team. */
export interface Actor {
  readonly userId: string;
  readonly userName: string;
  readonly teamId: string;
  readonly role: 'viewer' | 'member' | 'admin' | 'owner';
  readonly scopes: readonly string[];
}
