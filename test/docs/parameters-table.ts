/** The table of parameters in docs/training.md, made from what trainer and operator read. `--write` renews it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { ALGORITHM_NAMES, type ParameterRule, parameterRules } from '../../contract/src/index.ts';

export const GUIDE = 'docs/training.md';

const BLOCK = /(<!-- begin parameters -->\n)[\s\S]*?(<!-- end parameters -->)/;
const escaped = (text: string): string => text.replaceAll('|', '\\|');

interface Row {
  readonly name: string;
  readonly rule: ParameterRule;
  readonly algorithms: string[];
}

/** One row for every parameter with one meaning: same name, same default, same values. */
function rows(): Row[] {
  const found = new Map<string, Row>();
  for (const algorithm of ALGORITHM_NAMES) {
    for (const [name, rule] of Object.entries(parameterRules(algorithm))) {
      const key = `${name} ${rule.default} ${rule.expected}`;
      const row = found.get(key) ?? { name, rule, algorithms: [] };
      row.algorithms.push(algorithm);
      found.set(key, row);
    }
  }
  // Those of all algorithms last.
  return [...found.values()].sort((a, b) => Number(a.algorithms.length > 4) - Number(b.algorithms.length > 4));
}

const who = ({ algorithms }: Row): string =>
  algorithms.length === ALGORITHM_NAMES.length ? 'all' : algorithms.map((name) => `\`${name}\``).join(', ');

export const parametersTable = (): string =>
  [
    '| parameter | of | default | takes |',
    '|---|---|---|---|',
    ...rows().map(
      (row) => `| \`${row.name}\` | ${who(row)} | \`${row.rule.default}\` | ${escaped(row.rule.expected)} |`,
    ),
    '',
  ].join('\n');

/** The guide with its table as it must be. */
export const currentGuide = (): string =>
  readFileSync(GUIDE, 'utf8').replace(BLOCK, (_, begin, end) => `${begin}${parametersTable()}${end}`);

if (process.argv.includes('--write')) writeFileSync(GUIDE, currentGuide());
