/** Where the dashboard is, as the part of the address behind `#`: it can be copied, and Back works. */
export type Place =
  | { screen: 'sessions'; filter: SessionFilter }
  | { screen: 'session'; id: string }
  | { screen: 'new-session'; agentId: string | null }
  | { screen: 'approvals'; show: 'waiting' | 'decided' }
  | { screen: 'agents' }
  | { screen: 'agent'; id: string | null };

export const groups = ['all', 'needs-you', 'running', 'failed'] as const;
export interface SessionFilter {
  readonly group: (typeof groups)[number];
  readonly agentId: string | null;
  readonly search: string;
  readonly mine: boolean;
  readonly archived: boolean;
}
export const noFilter: SessionFilter = {
  group: 'all',
  agentId: null,
  search: '',
  mine: false,
  archived: false,
};

export function readAddress(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2);
  const [first = '', second] = path.split('/').map(decodeURIComponent);
  const search = new URLSearchParams(query);
  switch (first) {
    case 'sessions':
      if (second) return { screen: 'session', id: second };
      break;
    case 'new':
      return { screen: 'new-session', agentId: search.get('agent') };
    case 'approvals':
      return {
        screen: 'approvals',
        show: search.get('show') === 'decided' ? 'decided' : 'waiting',
      };
    case 'agents':
      if (second === 'new') return { screen: 'agent', id: null };
      return second ? { screen: 'agent', id: second } : { screen: 'agents' };
  }
  const group = groups.find((name) => name === search.get('status')) ?? 'all';
  return {
    screen: 'sessions',
    filter: {
      group,
      agentId: search.get('agent'),
      search: search.get('q') ?? '',
      mine: search.has('mine'),
      archived: search.has('archived'),
    },
  };
}

export function writeAddress(place: Place): string {
  switch (place.screen) {
    case 'session':
      return `#/sessions/${encodeURIComponent(place.id)}`;
    case 'new-session':
      return place.agentId ? `#/new?agent=${encodeURIComponent(place.agentId)}` : '#/new';
    case 'approvals':
      return place.show === 'decided' ? '#/approvals?show=decided' : '#/approvals';
    case 'agents':
      return '#/agents';
    case 'agent':
      return `#/agents/${place.id === null ? 'new' : encodeURIComponent(place.id)}`;
    case 'sessions': {
      const { group, agentId, search, mine, archived } = place.filter;
      const query = new URLSearchParams();
      if (group !== 'all') query.set('status', group);
      if (agentId) query.set('agent', agentId);
      if (search) query.set('q', search);
      if (mine) query.set('mine', '');
      if (archived) query.set('archived', '');
      const text = query.toString().replaceAll('=&', '&').replace(/=$/, '');
      return text ? `#/sessions?${text}` : '#/sessions';
    }
  }
}
