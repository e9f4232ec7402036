/** Makes two servers' answers comparable: what each server chooses for itself gets the same name on both. */
import type { Json } from './driver.ts';

/** `url`: where the server was; it occurs in messages of clients. */
export interface Place {
  readonly url: string;
}

/** Hands out `<run-1>`, `<run-2>`… in the order of first appearance. */
function numbering(): (kind: string, id: string) => string {
  const known = new Map<string, string>();
  const counts = new Map<string, number>();
  return (kind, id) => {
    const key = `${kind} ${id}`;
    const given = known.get(key);
    if (given) return given;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    const name = `<${kind}-${count}>`;
    known.set(key, name);
    return name;
  };
}

const nobody = /^0+$/;
/** What scenarios themselves name: the Default experiment, and one that is nowhere. */
const saidByScenario = new Set(['0', '99999999']);
/** Python prints a set in an order of its own at every start. */
const sortedSets = (text: string) =>
  text.replace(/\{('[^{}]*')\}/g, (_, members: string) => `{${members.split(', ').sort().join(', ')}}`);

/** Tags, params and metrics come in no order anybody may rely on, and so do the latest versions of each stage. */
function inNoOrder(key: string): (a: Json, b: Json) => number {
  const by = key === 'latest_versions' ? 'version' : 'key';
  const rank = (item: Json) => {
    const named = typeof item === 'object' && item !== null && !Array.isArray(item) && by in item;
    return named ? String((item as { readonly [name: string]: Json })[by]) : '';
  };
  return (a, b) => (rank(a) < rank(b) ? -1 : Number(rank(a) > rank(b)));
}

function normaliser({ url }: Place) {
  const name = numbering();
  const experiment = (id: string) => (saidByScenario.has(id) ? id : name('experiment', id));
  const { port } = new URL(url);
  const inText = (text: string): string =>
    sortedSets(text)
      .replaceAll(url, '<server>')
      .replaceAll(`port=${port}`, 'port=<port>')
      .replace(/m-[0-9a-f]{32}/g, (id) => name('model', id))
      .replace(/(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])/g, (id) => (nobody.test(id) ? id : name('run', id)))
      .replace(/(mlflow-artifacts:\/+(?:[^/]*@)?)(\d+)(?=\/|$|')/g, (_, before, id) => before + experiment(id))
      .replace(/(mlflow-artifacts\/artifacts\/)(\d+)(?=\/)/g, (_, before, id) => before + experiment(id))
      .replace(/([Ee]xperiment(?: ID| with id)?[ =]'?)(\d+)/g, (_, before, id) => before + experiment(id))
      .replace(/\/tmp\/tmp[a-z0-9_]+/g, '<folder>')
      .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?/g, '<time>')
      .replace(/0x[0-9a-f]{8,}/g, '<address>')
      .replace(/^[a-z]+-[a-z]+-\d+$/, '<run-name>');
  const isTime = (key: string, value: number) => /time/.test(key) && value > 1.6e12;

  function leaf(json: string | number | boolean | null, key: string): Json {
    if (key === 'next_page_token') return '<token>';
    if (typeof json === 'string') return /^experiment_ids?$/.test(key) ? experiment(json) : inText(json);
    return typeof json === 'number' && isTime(key, json) ? '<time>' : json;
  }
  function value(json: Json, key: string): Json {
    if (json === null || typeof json !== 'object') return leaf(json, key);
    if (Array.isArray(json)) return json.toSorted(inNoOrder(key)).map((item) => value(item, key));
    const entries = Object.entries(json as Record<string, Json>).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([name, item]) => [inText(name), value(item, name)]));
  }
  return value;
}

/** The outcome with ids, times, names of runs, addresses and folders replaced by words that are the same everywhere. */
export const normalise = (outcome: Json, place: Place): Json => normaliser(place)(outcome, '');
