/** docs/performance.md and its plots, from what was measured. */
import { CONVERTED, groupId, quickGroups, ROLE_ORDER } from './cells.ts';
import { figure, spread, table } from './figures.ts';
import { KIND_LABELS, type KindName } from './kinds.ts';
import { MODEL_LABELS, MODELS, type ModelName } from './models.ts';
import { AGAIN_PACE, GRID_PACE, MOST_SECONDS, WARM_SECONDS } from './plan.ts';
import type { GroupResult, Results, Round } from './results.ts';
import { SERVERS, type ServerName, serverOf } from './servers.ts';
import { type Interval, interval } from './statistics.ts';
import { type Bar, barPlot } from './svg.ts';
import { type GridCell, gridCells, judge, quotient, type Target } from './targets.ts';

export interface Report {
  readonly markdown: string;
  /** By the name of the file, below docs/performance/. */
  readonly plots: Readonly<Record<string, string>>;
}

type RoundFigure = keyof Round;

const order = (names: readonly ServerName[]): ServerName[] =>
  names.toSorted(
    (a, b) =>
      ROLE_ORDER.indexOf(serverOf(a).role) - ROLE_ORDER.indexOf(serverOf(b).role) ||
      SERVERS.indexOf(a) - SERVERS.indexOf(b),
  );
const namesIn = (group: GroupResult): ServerName[] => order(SERVERS.filter((name) => group.cells[name] !== undefined));
const valuesOf = (group: GroupResult, name: ServerName, which: RoundFigure): number[] =>
  (group.cells[name]?.rounds ?? []).map((round) => round[which]);
const isMeasuredIn = (group: GroupResult, name: ServerName): boolean =>
  group.cells[name]?.failure === undefined && valuesOf(group, name, 'perSecond').length > 0;

function rowOf(group: GroupResult, name: ServerName): string[] {
  const { label } = serverOf(name);
  if (!isMeasuredIn(group, name)) {
    const why = (group.cells[name]?.failure ?? 'not measured').split('\n')[0]?.slice(0, 120) ?? '';
    return [label, why, '', '', '', '', ''];
  }
  const of = (which: RoundFigure) => interval(valuesOf(group, name, which));
  const over = quotient(group, ['slipway', name]);
  return [
    label,
    spread(of('perSecond')),
    name === 'slipway' || typeof over === 'string' ? '' : spread(over, '×'),
    figure(of('cpuUs').median),
    figure(of('p50Ms').median),
    figure(of('p99Ms').median),
    figure(of('residentMb').high),
  ];
}

const HEAD = ['server', 'requests/s', 'Slipway is', 'CPU µs/request', 'p50 ms', 'p99 ms', 'RSS MB'];

/** One group's servers, ours first. */
const groupTable = (group: GroupResult): string =>
  table(
    HEAD,
    namesIn(group).map((name) => rowOf(group, name)),
  );

const unitText = (unit: Target['unit']): string => (unit === '×' ? '×' : ` ${unit}`);
/** Cells are counted; what may still turn out otherwise stands beside. */
const gotText = (got: Interval, unit: Target['unit']): string => {
  if (unit !== 'cells') return spread(got, unitText(unit));
  return got.low === got.high ? `${got.low} cells` : `${got.low} to ${got.high} cells`;
};
const STATES = { met: 'met', missed: '**missed**', open: 'open' } as const;

const targetRow = ({ what, wanted, got, unit, byProcessor, state }: Target): string[] => [
  what,
  wanted,
  got ? gotText(got, unit) : '',
  byProcessor ? `${figure(byProcessor.median)}×` : '',
  STATES[state],
];

/** The judgement as a table; the same on the terminal and on the page. */
export const targetTable = (targets: readonly Target[]): string =>
  table(['target', 'wanted', 'measured', 'by CPU time', ''], targets.map(targetRow));

const toneOf = (name: ServerName): Bar['tone'] => {
  const { role } = serverOf(name);
  if (role === 'ours') return 'ours';
  return role === 'peer' ? 'peer' : 'variant';
};

function plotOf(group: GroupResult, title: string, which: 'perSecond' | 'cpuUs', unit: string): string {
  const bars = namesIn(group)
    .filter((name) => isMeasuredIn(group, name))
    .map((name): Bar => {
      const { median, low, high } = interval(valuesOf(group, name, which));
      return { label: serverOf(name).label, value: median, low, high, text: figure(median), tone: toneOf(name) };
    });
  return barPlot({ title, unit, bars });
}

interface Section {
  readonly file: string;
  readonly title: string;
  readonly which: 'perSecond' | 'cpuUs';
  readonly group: {
    readonly model: ModelName;
    readonly kind: KindName;
    readonly rows: number;
    readonly connections: number;
  };
}

const SECTIONS: readonly Section[] = [
  {
    file: 'lr-1-row.svg',
    title: 'Logistic regression, 1 row, 64 connections: requests/s',
    which: 'perSecond',
    group: { model: 'lr', kind: 'predict', rows: 1, connections: 64 },
  },
  {
    file: 'lr-1-row-cpu.svg',
    title: 'Logistic regression, 1 row, 64 connections: processor time for a request',
    which: 'cpuUs',
    group: { model: 'lr', kind: 'predict', rows: 1, connections: 64 },
  },
  {
    file: 'rf100-1-row.svg',
    title: 'Forest of 100 trees, 1 row, 64 connections: requests/s',
    which: 'perSecond',
    group: { model: 'rf100', kind: 'predict', rows: 1, connections: 64 },
  },
  {
    file: 'lr-1024-rows.svg',
    title: 'Logistic regression, 1,024 rows, 16 connections, named features: requests/s',
    which: 'perSecond',
    group: { model: 'lr', kind: 'predict', rows: 1024, connections: 16 },
  },
  {
    file: 'lr-1024-rows-v2.svg',
    title: 'Logistic regression, 1,024 rows, 16 connections, V2 JSON: requests/s',
    which: 'perSecond',
    group: { model: 'lr', kind: 'v2', rows: 1024, connections: 16 },
  },
];

const UNITS = { perSecond: 'requests a second', cpuUs: 'µs of the processor' } as const;

function plots(results: Results): Record<string, string> {
  const made: Record<string, string> = {};
  for (const { file, title, which, group } of SECTIONS) {
    const found = results.groups[groupId(group)];
    if (found && namesIn(found).some((name) => isMeasuredIn(found, name)))
      made[file] = plotOf(found, title, which, UNITS[which]);
  }
  const starts = startNames(results);
  if (starts.length > 0) made['start.svg'] = startPlot(results, starts);
  return made;
}

const startNames = (results: Results): ServerName[] =>
  order(SERVERS.filter((name) => (results.starts[name]?.startMs.length ?? 0) > 0));

function startPlot(results: Results, names: readonly ServerName[]): string {
  const bars = names.map((name): Bar => {
    const { median, low, high } = interval(results.starts[name]?.startMs ?? []);
    return { label: serverOf(name).label, value: median, low, high, text: `${figure(median)} ms`, tone: toneOf(name) };
  });
  return barPlot({ title: 'Process start to first prediction', unit: 'ms', bars });
}

/** How long each takes to its first prediction, and what it holds. */
export function startTable(starts: Results['starts']): string {
  const rows = order(SERVERS.filter((name) => starts[name])).map((name) => {
    const start = starts[name];
    const { label } = serverOf(name);
    if (!start?.startMs.length) return [label, start?.failure?.split('\n')[0] ?? '', '', '', ''];
    const loaded = start.loadedMb.length > 0 ? figure(Math.max(...start.loadedMb)) : '-';
    return [
      label,
      spread(interval(start.startMs)),
      String(start.startMs.length),
      figure(interval(start.idleMb).median),
      loaded,
    ];
  });
  return table(['server', 'start to first prediction, ms', 'starts', 'RSS MB, idle', 'RSS MB, after load'], rows);
}

const MARKS: Readonly<Record<GridCell['verdict'], string>> = {
  ahead: '',
  behind: ' **behind**',
  undecided: ' *undecided*',
  void: ' *void*',
};

const gridCellText = ({ ratio, peer, verdict }: GridCell): string =>
  `${ratio ? `${spread(ratio, '×')} ` : ''}${serverOf(peer).label}${MARKS[verdict]}`;

/** Rows: kinds of request and numbers of rows; columns: connections; in the cells the strongest peer. */
function gridTables(results: Results): string {
  const cells = gridCells(results);
  const ofId = new Map(cells.map((cell) => [cell.id, cell]));
  const sections = MODELS.map((model) => {
    const lines = (Object.keys(KIND_LABELS) as KindName[]).flatMap((kind) =>
      [1, 32, 1024].map((rows) => [
        `${KIND_LABELS[kind]}, ${rows.toLocaleString('en-US')} ${rows === 1 ? 'row' : 'rows'}`,
        ...[1, 16, 64, 256].map((connections) => {
          const cell = ofId.get(groupId({ model, kind, rows, connections }));
          return cell ? gridCellText(cell) : '';
        }),
      ]),
    );
    const measured = lines.filter((line) => line.slice(1).some((cell) => cell !== ''));
    if (measured.length === 0) return '';
    const head = ['request', '1 connection', '16', '64', '256'];
    return `### ${capital(MODEL_LABELS[model])}\n${table(head, measured)}\n`;
  });
  return sections.filter((section) => section !== '').join('\n');
}

const capital = (text: string): string => `${text[0]?.toUpperCase()}${text.slice(1)}`;

function groupSections(results: Results): string {
  return quickGroups()
    .flatMap(({ model, kind, rows, connections }) => {
      const found = results.groups[groupId({ model, kind, rows, connections })];
      if (!found) return [];
      const what =
        `${capital(MODEL_LABELS[model])}: ${KIND_LABELS[kind]}, ${rows.toLocaleString('en-US')} ${rows === 1 ? 'row' : 'rows'}, ` +
        `${connections} ${connections === 1 ? 'connection' : 'connections'}`;
      const plotted = SECTIONS.filter(
        (section) => groupId(section.group) === groupId({ model, kind, rows, connections }),
      ).map(({ file, title }) => `![${title}](performance/${file})\n\n`);
      return [`### ${what}\n${plotted.join('')}${groupTable(found)}\n\n${circumstances(found)}\n`];
    })
    .join('\n');
}

/** The same model three ways: exported by hand, converted by us, and as a pickle behind MLflow's own server. */
export function conversionTable(results: Results): string {
  const rows = MODELS.flatMap((model) => {
    const [made, compared] = [results.conversions[model], CONVERTED[model]];
    if (!made || !compared) return [];
    const group = results.groups[groupId(compared)];
    const over = (peer: ServerName): string => {
      const found = quotient(group, ['slipway-converted', peer]);
      return typeof found === 'string' ? found.slice(0, 60) : spread(found, '×');
    };
    const why = made.failure?.split('\n')[0]?.slice(0, 120);
    const figures = why === undefined ? [figure(made.seconds), figure(made.peakMb)] : [why, ''];
    return [[capital(MODEL_LABELS[model]), ...figures, over('slipway'), over('mlflow')]];
  });
  const head = ['model', 'conversion, s', 'peak MB', 'over the export by hand', 'over mlflow models serve'];
  return rows.length === 0 ? '' : table(head, rows);
}

function conversionSection(results: Results): string {
  const text = conversionTable(results);
  return text === ''
    ? ''
    : `## Models that we converted
What MLflow saved as a pickle, given to our converter on one processor: how long that takes, from the start of its process, and the
memory of all its processes. Then the requests a second of Slipway with the result, over Slipway with the model exported by hand and
over \`mlflow models serve\` of the same folder: MLflow's \`/invocations\`, 1 row, 64 connections.

${text}

`;
}

/** What else went on. */
function circumstances(group: GroupResult): string {
  const others = Object.values(group.cells).flatMap(({ rounds }) => rounds.map((round) => round.others));
  const most =
    others.length > 0
      ? ` Others had at most ${(Math.max(...others) * 100).toFixed(0)} % of the server's processor.`
      : '';
  const rounds = Math.max(0, ...Object.values(group.cells).map((cell) => cell.rounds.length));
  return (
    `<sub>${group.date} UTC, ${rounds} rounds of ${group.seconds} s in turn, load average ${group.loadAverage.toFixed(2)} ` +
    `at the beginning.${most} Slipway's build ${group.build}${group.engine === undefined ? '' : `, engine ${group.engine}`}.</sub>`
  );
}

function versionsTable(results: Results): string {
  const rows = order(SERVERS.filter((name) => results.versions[name])).map((name) => [
    serverOf(name).label,
    results.versions[name] as string,
  ]);
  return [`| server | versions |`, '|---|---|', ...rows.map(([label, text]) => `| ${label} | ${text} |`)].join('\n');
}

/** What is not as it should be, in words. */
function summary(targets: readonly Target[]): string {
  const of = (state: Target['state']) => targets.filter((target) => target.state === state);
  const line = ({ what, wanted, got, unit, note }: Target): string => {
    const figures = got ? `${gotText(got, unit)} where ${wanted} is wanted` : `${wanted} is wanted`;
    return `- ${what}: ${figures}${note ? ` (${note})` : ''}`;
  };
  const parts = [`${of('met').length} of ${targets.length} targets are met.`];
  if (of('missed').length > 0) parts.push('These are missed:', of('missed').map(line).join('\n'));
  if (of('open').length > 0) parts.push('Of these nothing can be said:', of('open').map(line).join('\n'));
  return parts.join('\n\n');
}

/** The whole page. Says what was not measured, and never where. */
export function report(results: Results): Report {
  const targets = judge(results);
  const { machine } = results;
  const made = plots(results);
  const gridText = gridTables(results);
  const starts = startNames(results).length === 0 ? '' : startSection(results);
  const markdown = `# How fast the model server is, beside others
This page is written by \`make bench-serving\`; edit \`bench/serving/report.ts\`, not the page.

Measured on ${machine.cores} cores of ${machine.processor}, ${machine.memoryGib} GiB, Linux ${machine.kernel}; ${machine.runtimes}; ${machine.wrk}.
Figures are medians of rounds; what stands in brackets are the lowest and the highest round. Only ratios within one table mean
something on another machine. ${quietness(results)}

## The targets
${summary(targets)}

${targetTable(targets)}

${HOW}
"By CPU time" in the table of targets is the same quotient of processor time for each answer instead of requests a second.

## Side by side
"Slipway is" says how many times the requests a second of that row Slipway answers. CPU µs/request is the time that all processes of
the server used, by the clock of the processor, for each answer; RSS is the sum over its processes.

${groupSections(results)}
${conversionSection(results)}${starts}${gridText === '' ? '' : `## The grid\n${GRID}\n\n${gridText}\n`}## Versions
${versionsTable(results)}
`;
  return { markdown: markdown.replace(/\n{3,}/g, '\n\n'), plots: made };
}

function startSection(results: Results): string {
  return `## Start and memory
From the start of the process to its first right prediction over HTTP (logistic regression), and what it then holds; after load: 64
connections for 2 s.

![Process start to first prediction](performance/start.svg)

${startTable(results.starts)}

`;
}

const GRID = `Slipway's requests a second over those of the peer that is ahead or nearest in each cell. An interval is that of the lowest and the
highest quotient of rounds: where all of it is above 1 Slipway is ahead, where all is below 1 it is behind, and else the cell is
undecided. Rounds are short (${GRID_PACE.seconds} s, ${GRID_PACE.rounds} in turn; two for a peer that is five times apart, one for ten times); an undecided cell is measured
again, with ${AGAIN_PACE.rounds} rounds of ${AGAIN_PACE.seconds} s of Slipway and the peers in question. A server that could not answer all its clients
within a second has one round of up to ${MOST_SECONDS} s, which decides only where one of the two has twice the other. Who has fewer rounds than Slipway is compared by the last of
them, so that the interval shows what Slipway's own rounds differ by.`;

/** More than this of the server's processor in other hands, in any round, and ratios are those of luck. */
const QUIET = 0.15;

/** What else was running decides how much a reader may believe. */
function quietness(results: Results): string {
  const loads = Object.values(results.groups).map(({ loadAverage }) => loadAverage);
  const cells = Object.values(results.groups).flatMap((group) => Object.values(group.cells));
  const others = cells.flatMap(({ rounds }) => rounds.map((round) => round.others));
  if (others.length === 0) return 'Nothing has been measured yet.';
  const said =
    `The load average was ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}, and other programs had at most ` +
    `${(Math.max(...others) * 100).toFixed(0)} % of the server's processor while one was measured`;
  return Math.max(...others) < QUIET
    ? `${said}.`
    : `${said}: **the machine was busy, and these figures are provisional**.`;
}

const HOW = `## How it is measured
- Every server has processor 0 and nothing else has it; wrk with one thread, and the reader of the server's output, have processor 1.
  Two requests are never compared across tables: the servers of a table are measured in turn, round by round, so that what disturbs
  the machine disturbs all of them. Those that are not being measured are stopped (SIGSTOP).
- Before a server is measured it must give the estimator's class for each of 32 rows. A cell in which one request fails is void.
- Servers are warm: each is kept busy for at least ${WARM_SECONDS} s before its first round (in the grid the Python servers for one), and
  again before its first round with another number of rows.
- Requests differ: 64 bodies of one row, 16 of 32 rows, 2 of 1,024, sent in turn.
- Slipway is the bundle of the image with its default settings: it checks every value, counts metrics and writes its prediction log
  to a pipe. The peers run without a log of requests where they have a switch for it (FastAPI, BentoML, LitServe, MLServer, KServe, MLflow),
  with one worker, and with one thread in their numerical libraries. MLServer runs without extra worker processes, which on one
  processor only cost it; its adaptive batching is up to 64 requests within 2 ms. KServe is its Python server with the model class of
  its scikit-learn image; it has no option for its address, so its launcher binds it to the loopback.
- What clients leave unanswered at the end of a round is done before the next one begins, or the server is started anew.
- The same fitted estimator is behind every server: scikit-learn where the server runs Python models, its skl2onnx export elsewhere.
  In V2 only the class is asked for, as that is what the peers answer.
- "bare node:http, our pipeline" is Slipway's own reading, scoring and printing under a server of thirty lines without metrics, log,
  headers or limits; "a constant answer" does not even look at the body; "raw socket" replaces node:http by the least that wrk
  understands.

`;
