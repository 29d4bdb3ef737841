// @vitest-environment jsdom
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createGrowingMarkdown, parseMarkdown, sanitise } from './markdown.ts';

const html = (text: string) =>
  parseMarkdown(text)
    .map((block) => (block.kind === 'html' ? block.html : `<code:${block.language}>${block.text}`))
    .join('');

describe('nothing that an agent writes runs or reaches out', () => {
  test.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '![pixel](https://evil.example/p.png)',
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](java&#10;script:alert(1))',
    '[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
    '[x](vbscript:msgbox)',
    '[x](file:///etc/passwd)',
    '[x](//evil.example/x)',
    '[x](vscode://command/run)',
    '[x](command:workbench.action.terminal.new)',
    '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
    '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<form action="https://evil.example"><input name=a></form>',
    '<a href="https://x" style="position:fixed;inset:0">all</a>',
    '<a href="https://x" onclick="alert(1)">x</a>',
    '<link rel=stylesheet href=https://evil.example/x.css>',
    '<base href=https://evil.example/>',
    '<object data="javascript:alert(1)"></object>',
    '- <img src=x onerror=alert(1)>\n- ok',
    '| <img src=x onerror=alert(1)> |\n|---|\n| x |',
    '"><script>alert(1)</script>',
    '[a](<javascript:alert(1)>)',
    '<https://x.example/" onmouseover="alert(1)>',
    '![a"onerror="alert(1)](x)',
  ])('%s', (text) => {
    const box = document.createElement('div');
    box.innerHTML = html(text);
    for (const element of box.querySelectorAll('*')) {
      expect([
        'script',
        'img',
        'svg',
        'iframe',
        'form',
        'input',
        'style',
        'link',
        'base',
        'object',
        'math',
      ]).not.toContain(element.localName);
      for (const { name, value } of element.attributes) {
        expect(name).toMatch(/^(href|title|start|class|tabindex)$/);
        if (name === 'href')
          expect(value).not.toMatch(/^\s*(javascript|data|vbscript|file|vscode|command):|^\/\//i);
      }
    }
  });
  test('the sanitiser alone holds as well', () => {
    expect(sanitise('<p onclick=x>a<img src=x><script>b</script></p>')).toBe('<p>a</p>');
  });
  test('what is harmless stays', () => {
    expect(html('see [the docs](https://example.com/a?b=c#d) and [a file](src/a.ts)')).toContain(
      'href="https://example.com/a?b=c#d"',
    );
    expect(html('[a file](src/refunds/policy.ts:38)')).toContain('href="src/refunds/policy.ts:38"');
    expect(html('**a** `b<c>`')).toBe('<p><strong>a</strong> <code>b&lt;c&gt;</code></p>\n');
    expect(html('![diagram](https://example.com/d.png)')).toContain(
      '<a href="https://example.com/d.png">diagram</a>',
    );
  });
});

test('code blocks leave the HTML: their text is shown as text', () => {
  expect(parseMarkdown('a\n\n```ts title=x\nconst a = "<b>";\n```')).toEqual([
    { kind: 'html', html: '<p>a</p>\n' },
    { kind: 'code', language: 'ts', text: 'const a = "<b>";' },
  ]);
});

describe('a text that grows', () => {
  const pieces = fc.array(
    fc.constantFrom(
      'word ',
      '**bold** ',
      '\n',
      '\n\n',
      '- item\n',
      '1. one\n',
      '```ts\n',
      '```\n',
      '# Head\n',
      '> quote\n',
      '| a | b |\n|---|---|\n',
      '    code\n',
      '`x` ',
      '---\n',
      '<b>',
      'http://a.b ',
    ),
    { maxLength: 40 },
  );
  test('is shown as if it had come whole', () => {
    fc.assert(
      fc.property(pieces, (parts) => {
        const growing = createGrowingMarkdown();
        let text = '';
        for (const part of parts) {
          text += part;
          growing.update(text);
        }
        expect(growing.update(text)).toEqual(parseMarkdown(text));
      }),
    );
  });
  test('keeps the blocks that are complete', () => {
    const growing = createGrowingMarkdown();
    const first = growing.update('one\n\ntwo\n\nthr');
    const second = growing.update('one\n\ntwo\n\nthree');
    expect(second[0]).toBe(first[0]);
    expect(second[1]).toBe(first[1]);
  });
  test('begins again when it is another text', () => {
    const growing = createGrowingMarkdown();
    growing.update('one\n\ntwo');
    expect(growing.update('other')).toEqual(parseMarkdown('other'));
  });
});
