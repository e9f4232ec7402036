/** One client's scenarios on both servers, judged, and the table that is printed of it. */
import { type Deviation, type Difference, deviationFor, differences } from './compare.ts';
import type { Json, Scenario } from './driver.ts';
import { normalise, type Place } from './normalise.ts';

export interface Verdict {
  readonly category: string;
  readonly name: string;
  /** The real server was not asked: tenants, which it does not have, and races, which it answers by luck. */
  readonly isRule: boolean;
  /** Differences nobody meant; the scenario's own mistakes count too. */
  readonly failures: readonly Difference[];
  /** Differences that are meant, each with the id of its deviation. */
  readonly meant: readonly (Difference & { readonly id: string })[];
}

/** The outcomes of the same table of scenarios, and where each came from. */
export interface Side {
  readonly place: Place;
  readonly scenarios: readonly Scenario[];
}

const titleOf = ({ category, name }: Pick<Scenario, 'category' | 'name'>) => `${category}: ${name}`;

const isBroken = (outcome: Json) => typeof outcome === 'object' && outcome !== null && 'broken' in outcome;

/** A scenario that is wrong in itself agrees with itself on both servers: that must not count as the same. */
function foundIn(ours: Json, real: Json | undefined): readonly Difference[] {
  if (isBroken(ours) || (real !== undefined && isBroken(real))) return [{ field: 'the scenario itself', ours, real }];
  return differences(ours, real);
}

/** Every scenario of our side beside the real one's. */
export function judge(ours: Side, real: Side, deviations: readonly Deviation[]): readonly Verdict[] {
  const answers = new Map(real.scenarios.map((scenario) => [titleOf(scenario), scenario.outcome]));
  return ours.scenarios.map((scenario) => {
    const { category, name } = scenario;
    const outcome = normalise(scenario.outcome, ours.place);
    const answer = answers.get(titleOf(scenario));
    const wanted =
      scenario.expected === undefined
        ? answer && normalise(answer, real.place)
        : normalise({ result: scenario.expected }, ours.place);
    const found = foundIn(outcome, wanted).map((difference) => ({
      difference,
      deviation: deviationFor(deviations, titleOf(scenario), difference),
    }));
    return {
      category,
      name,
      isRule: scenario.expected !== undefined,
      failures: found.filter(({ deviation }) => !deviation).map(({ difference }) => difference),
      meant: found.flatMap(({ difference, deviation }) => (deviation ? [{ ...difference, id: deviation.id }] : [])),
    };
  });
}

interface Row {
  readonly scenarios: number;
  readonly same: number;
  readonly byRule: number;
  readonly deviating: number;
  readonly failing: number;
}

function countsOf(verdicts: readonly Verdict[]): Row {
  const failing = verdicts.filter(({ failures }) => failures.length > 0).length;
  const deviating = verdicts.filter((verdict) => verdict.failures.length === 0 && verdict.meant.length > 0).length;
  const byRule = verdicts.filter(
    ({ isRule, failures, meant }) => isRule && failures.length + meant.length === 0,
  ).length;
  return {
    scenarios: verdicts.length,
    same: verdicts.length - failing - deviating - byRule,
    deviating,
    byRule,
    failing,
  };
}

/** Lines of text: one a category, and their sum. */
export function conformanceTable(client: string, verdicts: readonly Verdict[]): readonly string[] {
  const categories = [...new Set(verdicts.map(({ category }) => category))];
  const line = (name: string, { scenarios, same, deviating, byRule, failing }: Row) =>
    [name.padEnd(28), ...[scenarios, same, deviating, byRule, failing].map((n) => String(n).padStart(12))].join('');
  return [
    `mlflow ${client}`.padEnd(28) +
      ['scenarios', 'as MLflow', 'on purpose', 'by rule', 'failing'].map((h) => h.padStart(12)).join(''),
    ...categories.map((category) => line(category, countsOf(verdicts.filter((v) => v.category === category)))),
    line('all', countsOf(verdicts)),
  ];
}

const shown = (json: Json | undefined) => (json === undefined ? 'nothing' : JSON.stringify(json).slice(0, 600));

const sides = ({ field, ours, real }: Difference) => `  ${field}\n    ours ${shown(ours)}\n    real ${shown(real)}`;

/** What is wrong with a scenario, in a form that can be read. */
export const failureText = ({ category, name, failures }: Verdict): string =>
  [`${category}: ${name}`, ...failures.map(sides)].join('\n');

/** What differs in a scenario on purpose, and by which deviation. */
export const meantText = ({ category, name, meant }: Verdict): string =>
  [`${category}: ${name}`, ...meant.map((difference) => `  ${difference.id}\n${sides(difference)}`)].join('\n');

/** The scenarios that took longest, for those who want the whole to take less. */
export const slowest = (scenarios: readonly Scenario[], count = 5): string =>
  scenarios
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, count)
    .map((scenario) => `${titleOf(scenario)} (${scenario.seconds} s)`)
    .join(', ');
