/** What this container is allowed, read from its control group. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
};

/** Whole processors of a cgroup quota such as `150000 100000` (1) or `max 100000` (1: no limit is no promise). */
export function threadsFor(quota: string | undefined): number {
  const [limit, period] = (quota ?? 'max').split(/\s+/).map(Number);
  return limit !== undefined && period !== undefined && limit > 0 && period > 0
    ? Math.max(1, Math.floor(limit / period))
    : 1;
}

/** How many threads the runtime may use here: more than the container's processors is the worst choice of all. */
export function runtimeThreads(): number {
  const v1 = `${read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us') ?? 'max'} ${read('/sys/fs/cgroup/cpu/cpu.cfs_period_us') ?? ''}`;
  return threadsFor(read('/sys/fs/cgroup/cpu.max') ?? v1.trim());
}

/** Bytes this container may use; half of the machine where nothing limits it. */
export function memoryLimit(): number {
  const limit = Number(read('/sys/fs/cgroup/memory.max') ?? read('/sys/fs/cgroup/memory/memory.limit_in_bytes'));
  const half = totalmem() / 2;
  return limit > 0 && limit < totalmem() ? limit : half;
}
