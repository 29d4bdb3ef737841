import createDOMPurify from 'dompurify';
import { Marked, type Token, type Tokens } from 'marked';

/** One block of a message, ready to be shown. Everything an agent writes is untrusted: HTML leaves here only through the sanitiser. */
export type Block =
  | { readonly kind: 'html'; readonly html: string }
  | { readonly kind: 'code'; readonly language: string; readonly text: string };

const escapeHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

const marked = new Marked({
  gfm: true,
  breaks: false,
  renderer: {
    // Shown as what it says: agents quote HTML far more often than they mean it.
    html: ({ text }) => escapeHtml(text),
    // A remote picture would tell its host who reads this, and when.
    image: ({ href, text }) => `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    table({ header, rows }) {
      const cell = (tag: string, item: Tokens.TableCell) =>
        `<${tag}>${this.parser.parseInline(item.tokens)}</${tag}>`;
      const head = header.map((item) => cell('th', item)).join('');
      const body = rows
        .map((row) => `<tr>${row.map((item) => cell('td', item)).join('')}</tr>`)
        .join('');
      return `<div class="tablebox" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
    },
  },
});

let purify: ReturnType<typeof createDOMPurify> | null = null;
const sanitiser = () => (purify ??= createDOMPurify(window));

const allowed = {
  ALLOWED_TAGS:
    'a b blockquote br code del div em h1 h2 h3 h4 h5 h6 hr i li ol p pre s span strong sub sup table tbody td th thead tr ul'.split(
      ' ',
    ),
  ALLOWED_ATTR: ['href', 'title', 'start', 'class', 'tabindex'],
  // Web and mail addresses, and paths of the workspace; every other scheme goes.
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:|(?![a-z][a-z0-9+.-]*:|\/\/)[^\s]+)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

export function sanitise(html: string): string {
  return sanitiser().sanitize(html, allowed);
}

function blockOf(token: Token): Block | null {
  if (token.type === 'space' || token.type === 'def') return null;
  if (token.type === 'code') {
    const { text, lang } = token as Tokens.Code;
    return { kind: 'code', language: (lang ?? '').trim().split(/\s/, 1)[0] ?? '', text };
  }
  return { kind: 'html', html: sanitise(marked.parser([token])) };
}
const blocksOf = (tokens: readonly Token[]): Block[] =>
  tokens.map(blockOf).filter((block) => block !== null);

export function parseMarkdown(text: string): Block[] {
  return blocksOf(marked.lexer(text));
}

/**
 * The blocks of a text that grows at its end. What is complete is parsed once; only from the last open block on is it parsed
 * again, so a long answer costs per delta what its last paragraph costs.
 */
export interface GrowingMarkdown {
  update(text: string): readonly Block[];
}
export function createGrowingMarkdown(): GrowingMarkdown {
  let whole = '';
  let closedChars = 0;
  let closed: Block[] = [];
  let shown: readonly Block[] = [];
  return {
    update(text) {
      if (text === whole && shown.length > 0) return shown;
      if (!text.startsWith(whole)) {
        closedChars = 0;
        closed = [];
      }
      whole = text;
      const tokens = marked.lexer(text.slice(closedChars));
      // The last block, and blank lines behind it, may still change its meaning.
      let open = tokens.length - 1;
      while (open > 0 && tokens[open]?.type === 'space') open -= 1;
      const done = tokens.slice(0, Math.max(0, open));
      // Definitions reach backwards and forwards: a text that has some stays whole.
      const chars = done.reduce((sum, token) => sum + token.raw.length, 0);
      const exact =
        done.map((token) => token.raw).join('') === text.slice(closedChars, closedChars + chars);
      if (exact && !tokens.some((token) => token.type === 'def')) {
        closed = closed.concat(blocksOf(done));
        closedChars += chars;
        shown = closed.concat(blocksOf(tokens.slice(done.length)));
      } else {
        shown = closed.concat(blocksOf(tokens));
      }
      return shown;
    },
  };
}
