/** What the history of a model says about a moment: pure. */

/** One line of a model's history. `version` is null for what happened to the model as a whole. */
export interface ModelEvent {
  readonly id: string;
  readonly time: string;
  readonly version: number | null;
  readonly event: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly actor: string;
}

/** Where a model's versions stood at a moment: those of each stage but None, ascending, and the version of each alias. */
export interface ModelState {
  readonly stages: Readonly<Record<string, readonly number[]>>;
  readonly aliases: Readonly<Record<string, number>>;
}

/** Events that move a version from stage to stage, or an alias; the others change neither. */
export const stateEvents = ['StageChanged', 'AliasSet', 'AliasDeleted', 'Deleted'] as const;

type StateEvent = Pick<ModelEvent, 'version' | 'event' | 'to'>;

/** Changes the two maps as the event did the model. */
function apply({ version, event, to }: StateEvent, stages: Map<number, string>, aliases: Map<string, number>): void {
  if (version === null) return;
  if (event === 'StageChanged' && to !== null) stages.set(version, to);
  if (event === 'AliasSet' && to !== null) aliases.set(to, version);
  if (event === 'AliasDeleted' && to !== null && aliases.get(to) === version) aliases.delete(to);
  if (event !== 'Deleted') return;
  stages.delete(version);
  for (const [alias, target] of aliases) if (target === version) aliases.delete(alias);
}

/** The state after these events, which are all that happened, oldest first. */
export function stateAfter(events: Iterable<StateEvent>): ModelState {
  const stageOf = new Map<number, string>();
  const aliases = new Map<string, number>();
  for (const event of events) apply(event, stageOf, aliases);
  const stages = new Map<string, number[]>();
  for (const [version, stage] of [...stageOf].sort(([a], [b]) => a - b))
    if (stage !== 'None') stages.set(stage, [...(stages.get(stage) ?? []), version]);
  return { stages: Object.fromEntries(stages), aliases: Object.fromEntries([...aliases].sort()) };
}
