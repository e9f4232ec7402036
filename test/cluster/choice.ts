/** Which cluster is used. `current` is the user's own, `kind` a container of Docker's, `local` runs on this machine. */
export type ClusterKind = 'current' | 'kind' | 'local';

export interface Choice {
  readonly kind: ClusterKind;
  /** One sentence that says why. */
  readonly why: string;
}

/** What the choice depends on; questions that cost time are asked only when their answer matters. */
export interface Facts {
  readonly currentContextAnswers: () => Promise<boolean>;
  readonly dockerAnswers: () => Promise<boolean>;
  readonly kindIsInstalled: () => Promise<boolean>;
  readonly privilegedContainerStarts: () => Promise<boolean>;
  /** Why a cluster cannot run directly on this machine, or undefined when it can. */
  readonly localObstacle: () => Promise<string | undefined>;
}

/** No cluster can be had as asked; the message says what to change. */
export class NoCluster extends Error {
  override readonly name = 'NoCluster';
}

async function kindObstacle(facts: Facts): Promise<string | undefined> {
  if (!(await facts.kindIsInstalled())) return 'kind is not installed';
  if (!(await facts.dockerAnswers())) return 'no Docker Engine answers';
  if (!(await facts.privilegedContainerStarts())) return 'Docker cannot start a privileged container';
  return undefined;
}

async function chooseCurrent(facts: Facts): Promise<Choice> {
  if (await facts.currentContextAnswers())
    return { kind: 'current', why: 'CLUSTER=current and its API server answers' };
  throw new NoCluster('CLUSTER=current, but the current context does not answer; see kubectl cluster-info');
}

/** Decides which cluster to use. `requested` is the value of CLUSTER; the user's own cluster is never guessed. */
export async function chooseCluster(requested: string | undefined, facts: Facts): Promise<Choice> {
  const wanted = requested || 'auto';
  if (wanted === 'current') return chooseCurrent(facts);
  if (!['auto', 'kind', 'local'].includes(wanted)) {
    throw new NoCluster(`CLUSTER=${wanted} is none of current, kind, local, auto`);
  }
  const noKind = wanted === 'local' ? 'CLUSTER=local' : await kindObstacle(facts);
  if (noKind === undefined) return { kind: 'kind', why: 'Docker answers, kind is installed and can start its node' };
  if (wanted === 'kind') throw new NoCluster(`CLUSTER=kind, but ${noKind}`);
  const noLocal = await facts.localObstacle();
  if (noLocal === undefined) return { kind: 'local', why: noKind };
  throw new NoCluster(
    `No cluster can be started: ${noKind}; ${noLocal}. Install Docker and kind, or point KUBECONFIG at a cluster and set CLUSTER=current.`,
  );
}
