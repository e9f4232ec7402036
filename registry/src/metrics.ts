import { Counter, exponentialBuckets, Gauge, Histogram, Registry } from 'prom-client';
import { VERSION } from './version.ts';

export interface Metrics {
  readonly registry: Registry;
  /** `route` is a pattern, never a path that was asked for. */
  observe(request: { method: string; route: string; status: number; seconds: number }): void;
  dependency(up: boolean): void;
}

/** The registry's metrics. Default process metrics are added by main.ts. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const labelNames = ['method', 'route', 'status'] as const;
  const requests = new Counter({
    name: 'slipway_registry_requests_total',
    help: 'Requests answered, by route pattern and status.',
    labelNames,
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'slipway_registry_request_duration_seconds',
    help: 'Time to answer a request.',
    labelNames: ['method', 'route'],
    buckets: exponentialBuckets(0.001, 2, 12),
    registers: [registry],
  });
  const up = new Gauge({
    name: 'slipway_dependency_up',
    help: 'Whether a dependency answered the last time it was asked.',
    labelNames: ['dependency'],
    registers: [registry],
  });
  const build = new Gauge({
    name: 'slipway_build_info',
    help: 'Always 1; the label is the version of Slipway that answers (/version says what MLflow it answers like).',
    labelNames: ['version'],
    registers: [registry],
  });
  build.set({ version: VERSION }, 1);
  return {
    registry,
    observe({ method, route, status, seconds }) {
      requests.inc({ method, route, status: String(status) });
      duration.observe({ method, route }, seconds);
    },
    dependency: (isUp) => up.set({ dependency: 'postgres' }, isUp ? 1 : 0),
  };
}
