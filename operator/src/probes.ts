/** What /livez and /readyz say of the operator. */
import type { InformerState } from './kube/informer.ts';

export interface ProbeSources {
  readonly informers: () => readonly InformerState[];
  /** Kinds that have not been listed yet. */
  readonly unlisted: () => readonly string[];
  /** Why the database's schema is still waited for. */
  readonly schema: () => string | undefined;
  readonly stopping: () => boolean;
}

/** An informer that heard nothing for so long is as good as missing. */
const SILENCE_SECONDS = 120;

const place = ({ kind, namespace }: InformerState): string =>
  namespace === undefined ? kind : `${kind} in ${namespace}`;

export function probesOf({ informers, unlisted, schema, stopping }: ProbeSources) {
  const silent = () =>
    informers()
      .filter(({ synced, secondsSinceContact }) => synced && secondsSinceContact > SILENCE_SECONDS)
      .map((state) => `${place(state)}: no contact for ${Math.round(state.secondsSinceContact)} s`);
  return {
    dead(): readonly string[] {
      if (stopping()) return [];
      return informers()
        .filter(({ running }) => !running)
        .map((state) => `the informer of ${place(state)} has ended`);
    },
    missing(): readonly string[] {
      const closed = schema();
      return [
        ...unlisted(),
        ...silent(),
        ...(closed === undefined ? [] : [`Postgres: ${closed}`]),
        ...(stopping() ? ['this process is stopping'] : []),
      ];
    },
  };
}
