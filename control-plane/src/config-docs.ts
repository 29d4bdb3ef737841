import { families, variables, type Variable } from './config-variables.ts';

const table: readonly (readonly [string, Variable])[] = Object.entries(variables);

/** docs/configuration.md */
export function renderDocs(): string {
  const rows = table.map(
    ([name, { help, preset, secret }]) =>
      `| \`${name}\` | ${preset ?? ''} | ${help}${secret ? ' Secret: never printed.' : ''} |`,
  );
  const more = families.map(
    ({ name, help }) => `| \`${name.replace(', ', '`, `')}\` | | ${help} |`,
  );
  return `# Configuration

Berth reads the environment, then \`.env\` in the working directory; the environment wins. An empty value means unset. All
faults are named at once, one line each, and stop the start. \`control-plane/src/config-variables.ts\` is the table behind this page.

| variable | default | |
|---|---|---|
${[...rows, ...more].join('\n')}
`;
}

/** .env.example */
export function renderExample(): string {
  const entries = table.map(([name, { help, preset, example }]) => {
    const note = preset === undefined ? '' : ` Default: ${preset}.`;
    return `# ${help}${note}\n# ${name}=${example ?? (preset?.includes(' ') ? '' : (preset ?? ''))}\n`;
  });
  const more = families.map(
    (family) => `# ${family.help}\n# ${'example' in family ? family.example : `${family.name}=`}\n`,
  );
  return `# Copy to .env and uncomment what you need. What everything means: docs/configuration.md\n\n${[...entries, ...more].join('\n')}`;
}
