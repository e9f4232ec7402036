/**
 * The three-way merge of what people may change of a version: the object as it is, what object and row agreed on last,
 * and the row. A change on one side is carried to the other; where both changed the same thing differently the row wins.
 * Pure.
 */
import type { VersionEdit, VersionLabels } from '@slipway/database';

export interface Sides {
  readonly object: VersionLabels;
  readonly base: VersionLabels;
  readonly row: VersionLabels;
  /** Aliases that were given to another version in the registry since: asking for them here comes too late. */
  readonly takenElsewhere?: ReadonlySet<string>;
}

/** Something both sides changed: what the object asked for is dropped. */
export interface Conflict {
  readonly field: string;
  readonly asked: string;
  readonly stays: string;
}

export interface Merged {
  /** What both sides say afterwards. */
  readonly labels: VersionLabels;
  /** What has to be written to the row for that; empty when nothing has. */
  readonly edit: VersionEdit;
  readonly conflicts: readonly Conflict[];
}

interface Three<T> {
  readonly object: T;
  readonly base: T;
  readonly row: T;
}

/** Who changed: nobody or the row alone → `row`; the object alone → `object`; both, differently → `conflict`. */
function verdict<T>({ object, base, row }: Three<T>): 'row' | 'object' | 'conflict' {
  if (object === base || object === row) return 'row';
  return row === base ? 'object' : 'conflict';
}

interface Collected {
  readonly conflicts: Conflict[];
  edit: { -readonly [field in keyof VersionEdit]: VersionEdit[field] };
}

function mergeText(field: 'stage' | 'description', sides: Sides, found: Collected): string {
  const three = { object: sides.object[field], base: sides.base[field], row: sides.row[field] };
  const outcome = verdict(three);
  if (outcome === 'object') found.edit[field] = three.object;
  if (outcome === 'conflict') found.conflicts.push({ field, asked: three.object, stays: three.row });
  return outcome === 'object' ? three.object : three.row;
}

function mergeAliases({ object, base, row, takenElsewhere }: Sides, found: Collected): string[] {
  const set: string[] = [];
  const removed: string[] = [];
  const merged: string[] = [];
  for (const alias of new Set([...object.aliases, ...base.aliases, ...row.aliases])) {
    const has = ({ aliases }: VersionLabels) => aliases.includes(alias);
    const outcome = verdict({ object: has(object), base: has(base), row: has(row) });
    const wanted = outcome === 'object' ? has(object) : has(row);
    if (outcome === 'object' && wanted && takenElsewhere?.has(alias)) {
      found.conflicts.push({ field: 'aliases', asked: alias, stays: 'given to another version meanwhile' });
      continue;
    }
    if (wanted) merged.push(alias);
    if (outcome === 'object') (wanted ? set : removed).push(alias);
  }
  if (set.length + removed.length > 0) found.edit.aliases = { set: set.sort(), delete: removed.sort() };
  return merged.sort();
}

function mergeTags({ object, base, row }: Sides, found: Collected): Record<string, string> {
  const set: Record<string, string> = {};
  const removed: string[] = [];
  const merged: [string, string][] = [];
  for (const key of new Set([object, base, row].flatMap(({ tags }) => Object.keys(tags)))) {
    const of = ({ tags }: VersionLabels) => (Object.hasOwn(tags, key) ? (tags[key] as string) : undefined);
    const three = { object: of(object), base: of(base), row: of(row) };
    const outcome = verdict(three);
    const value = outcome === 'object' ? three.object : three.row;
    if (value !== undefined) merged.push([key, value]);
    if (outcome === 'object' && value !== undefined) set[key] = value;
    if (outcome === 'object' && value === undefined) removed.push(key);
    if (outcome === 'conflict') {
      const said = (text: string | undefined) => (text === undefined ? 'to be removed' : text);
      found.conflicts.push({ field: `tags[${key}]`, asked: said(three.object), stays: said(three.row) });
    }
  }
  if (Object.keys(set).length + removed.length > 0) found.edit.tags = { set, delete: removed.sort() };
  return Object.fromEntries(merged.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Same sides, same result; merging its result again changes nothing. */
export function merge(sides: Sides): Merged {
  const found: Collected = { conflicts: [], edit: {} };
  const labels = {
    stage: mergeText('stage', sides, found),
    aliases: mergeAliases(sides, found),
    tags: mergeTags(sides, found),
    description: mergeText('description', sides, found),
  };
  return { labels, edit: found.edit, conflicts: found.conflicts };
}

/** The fields of an edit. */
export const editedFields = (edit: VersionEdit): string[] =>
  Object.entries(edit)
    .filter(([, value]) => value !== undefined)
    .map(([field]) => field);
