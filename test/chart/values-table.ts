/** The table of values in the chart's README, made from the comments in values.yaml. `--write` renews it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { isMap, isScalar, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { CHART } from './helm.ts';

const README = `${CHART}/README.md`;
const [begin, end] = ['<!-- values: begin -->', '<!-- values: end -->'];

interface Row {
  readonly key: string;
  readonly initial: string;
  readonly description: string;
}

/** The last `# -- …` comment above a key; undefined when there is none. */
function descriptionOf(comment: string | null | undefined): string | undefined {
  const at = comment?.lastIndexOf(' -- ') ?? -1;
  if (at < 0) return undefined;
  return (comment as string)
    .slice(at + 4)
    .split('\n')
    .map((line) => line.trim())
    .join(' ');
}

function rowsOf(map: YAMLMap, path: readonly string[] = []): Row[] {
  return map.items.flatMap((item, index) => {
    const { key, value } = item as Pair<Node, Node>;
    const name = [...path, String((key as { value?: unknown }).value)];
    // The comment above a map's first key belongs to the map itself in this parser.
    const comment = descriptionOf(key.commentBefore) ?? (index === 0 ? descriptionOf(map.commentBefore) : undefined);
    if (comment !== undefined) {
      const initial = isScalar(value) ? JSON.stringify(value.value) : JSON.stringify(value?.toJSON() ?? null);
      return [{ key: name.join('.'), initial, description: comment }];
    }
    if (!isMap(value) || value.items.length === 0) throw new Error(`values.yaml: ${name.join('.')} has no comment`);
    return rowsOf(value, name);
  });
}

/** A Markdown table of every value; throws when one of them has no comment. */
export function valuesTable(yaml: string): string {
  const rows = rowsOf(parseDocument(yaml).contents as YAMLMap);
  const cell = (text: string) => text.replaceAll('|', '\\|');
  return [
    '| value | default | what it does |',
    '|---|---|---|',
    ...rows.map(({ key, initial, description }) => `| \`${key}\` | \`${cell(initial)}\` | ${cell(description)} |`),
  ].join('\n');
}

/** The README with its table renewed. */
export function currentReadme(): string {
  const readme = readFileSync(README, 'utf8');
  const [head, rest] = [readme.slice(0, readme.indexOf(begin)), readme.slice(readme.indexOf(end))];
  return `${head}${begin}\n${valuesTable(readFileSync(`${CHART}/values.yaml`, 'utf8'))}\n${rest}`;
}

if (process.argv.includes('--write')) writeFileSync(README, currentReadme());
