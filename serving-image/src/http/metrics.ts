/** Prometheus metrics. Every label's values come from a fixed set, so no client can make them grow. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { isReady, type ServerState } from './state.ts';

export interface Metrics {
  readonly registry: Registry;
  requestStarted(): void;
  requestEnded(endpoint: string, status: number, seconds: number): void;
  ran(requests: number, rows: number): void;
  loaded(seconds: number): void;
}

const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const ROW_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

export function createMetrics(state: ServerState): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ model: state.identity.name, version: state.identity.version });
  const registers = [registry];
  const requests = new Counter({
    name: 'slipway_requests_total',
    help: 'Requests answered, by endpoint and status code.',
    labelNames: ['endpoint', 'status'],
    registers,
  });
  const latency = new Histogram({
    name: 'slipway_request_duration_seconds',
    help: 'From the request line to the last byte of the answer.',
    labelNames: ['endpoint'],
    buckets: LATENCY_BUCKETS,
    registers,
  });
  const inFlight = new Gauge({
    name: 'slipway_requests_in_flight',
    help: 'Requests being answered now.',
    registers,
  });
  new Gauge({
    name: 'slipway_requests_queued',
    help: 'Requests waiting for the model.',
    registers,
    collect() {
      this.set(state.model?.queued() ?? 0);
    },
  });
  new Gauge({
    name: 'slipway_model_ready',
    help: '1 while predictions are answered and the process is not draining.',
    registers,
    collect() {
      this.set(isReady(state) ? 1 : 0);
    },
  });
  const rows = new Counter({ name: 'slipway_rows_total', help: 'Rows run through the model.', registers });
  const runs = new Histogram({
    name: 'slipway_run_rows',
    help: 'Rows per run of the model: above 1 where requests shared a run or brought several rows.',
    buckets: ROW_BUCKETS,
    registers,
  });
  const load = new Gauge({
    name: 'slipway_model_load_seconds',
    help: 'From the first byte hashed to the end of the self-test.',
    registers,
  });
  // Looking a labelled child up by its labels costs more than the rest of the measurement.
  const countOf = remembered((key) => {
    const [endpoint = '', status = ''] = key.split(' ');
    return requests.labels(endpoint, status);
  });
  const latencyOf = remembered((endpoint) => latency.labels(endpoint));
  return {
    registry,
    requestStarted: () => inFlight.inc(),
    requestEnded: (endpoint, status, seconds) => {
      inFlight.dec();
      countOf(`${endpoint} ${status}`).inc();
      latencyOf(endpoint).observe(seconds);
    },
    ran: (_, count) => {
      rows.inc(count);
      runs.observe(count);
    },
    loaded: (seconds) => load.set(seconds),
  };
}

function remembered<T>(make: (key: string) => T): (key: string) => T {
  const made = new Map<string, T>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}

/** Processor time, memory and event-loop lag of this process. Once per process: they keep a timer. */
export const collectProcessMetrics = ({ registry }: Metrics): void => collectDefaultMetrics({ register: registry });
