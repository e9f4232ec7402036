/** Which namespaces' rows belong into the cluster: those whose data belongs to the very namespace that is there now. */
import type { MirrorFeed } from '@slipway/database';

export interface NamespaceReader {
  /** The uid of a namespace that is there to stay; undefined otherwise. */
  uidOf(name: string): Promise<string | undefined>;
}

/** A namespace that was judged is judged again after this long. */
const GOOD_FOR_MS = 60_000;

export interface EligibleNamespaces {
  /** False for a namespace that is not watched, not there, or that is another one than the data belongs to. */
  isEligible(namespace: string): Promise<boolean>;
  /** Every watched namespace that has data, there or not. */
  watched(): Promise<readonly string[]>;
  /** Everything is judged anew. */
  forget(): void;
}

export function eligibleNamespaces(
  feed: Pick<MirrorFeed, 'tenants'>,
  namespaces: NamespaceReader,
  watched: readonly string[],
): EligibleNamespaces {
  const known = new Map<string, { readonly eligible: boolean; readonly until: number }>();
  const isWatched = (namespace: string) => watched.length === 0 || watched.includes(namespace);

  async function judge(namespace: string): Promise<boolean> {
    const tenant = (await feed.tenants()).find((one) => one.namespace === namespace);
    return tenant !== undefined && tenant.uid === (await namespaces.uidOf(namespace));
  }

  return {
    async isEligible(namespace) {
      if (!isWatched(namespace)) return false;
      const before = known.get(namespace);
      if (before && before.until > performance.now()) return before.eligible;
      const eligible = await judge(namespace);
      known.set(namespace, { eligible, until: performance.now() + GOOD_FOR_MS });
      return eligible;
    },
    async watched() {
      return (await feed.tenants()).map(({ namespace }) => namespace).filter(isWatched);
    },
    forget: () => known.clear(),
  };
}
