/** Prometheus metrics. Every label's values come from a fixed set, so no client can make them grow. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Scored, ServedModel } from '../model/served-model.ts';
import { createTally, type Noted, type Tally, VALUE_BUCKETS } from '../model/tally.ts';
import { isReady, type ServerState } from '../request/state.ts';
import { createCount, createSpread } from './counts.ts';

export interface Metrics {
  readonly registry: Registry;
  requestStarted(): void;
  requestEnded(endpoint: string, status: number, seconds: number): void;
  ran(requests: number, rows: number): void;
  /** What an answer said. */
  predicted(model: ServedModel, scored: Scored): void;
  loaded(seconds: number): void;
}

const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const ROW_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];
const REQUEST_BUCKETS = [1, 2, 4, 8, 16, 32, 64];

export function createMetrics(state: ServerState): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ model: state.identity.name, version: state.identity.version });
  const requests = createCount(registry, {
    name: 'slipway_requests_total',
    help: 'Requests answered, by endpoint and status code.',
    labels: ['endpoint', 'status'],
  });
  const errors = createCount(registry, {
    name: 'slipway_request_errors_total',
    help: 'Requests that got no prediction: refused, failed, or left by their client.',
    labels: ['endpoint'],
  });
  const latency = createSpread(registry, {
    name: 'slipway_request_duration_seconds',
    help: 'From the request line to the answer in the hands of the connection.',
    label: 'endpoint',
    buckets: LATENCY_BUCKETS,
  });
  const runs = createSpread(registry, {
    name: 'slipway_run_rows',
    help: 'Rows per run of the model: above 1 where requests shared a run or brought several rows.',
    buckets: ROW_BUCKETS,
  });
  const shared = createSpread(registry, {
    name: 'slipway_run_requests',
    help: 'Requests per run of the model: above 1 where requests shared a run.',
    buckets: REQUEST_BUCKETS,
  });
  const gauges = createGauges(registry, state);
  const predicted = createPredicted(registry);
  return {
    registry,
    requestStarted: () => {
      gauges.inFlight++;
    },
    requestEnded: (endpoint, status, seconds) => {
      gauges.inFlight--;
      requests.add(endpoint, status);
      if (status >= 400) errors.add(endpoint);
      latency.observe(seconds, endpoint);
    },
    ran: (count, rows) => {
      gauges.rows += rows;
      runs.observe(rows);
      shared.observe(count);
    },
    predicted,
    loaded: (seconds) => {
      gauges.loadSeconds = seconds;
    },
  };
}

interface Gauges {
  inFlight: number;
  rows: number;
  loadSeconds: number;
}

/** What is read off when somebody looks. */
function createGauges(registry: Registry, state: ServerState): Gauges {
  const values: Gauges = { inFlight: 0, rows: 0, loadSeconds: 0 };
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      ...{ name, help, registers: [registry] },
      collect() {
        this.set(value());
      },
    });
  };
  gauge('slipway_requests_in_flight', 'Requests being answered now.', () => values.inFlight);
  gauge('slipway_requests_queued', 'Requests waiting for the model.', () => state.model?.queued() ?? 0);
  gauge('slipway_model_ready', '1 while predictions are answered and the process is not draining.', () =>
    isReady(state) ? 1 : 0,
  );
  gauge(
    'slipway_model_load_seconds',
    'From the first byte hashed to the end of the self-test.',
    () => values.loadSeconds,
  );
  new Counter({
    ...{ name: 'slipway_rows_total', help: 'Rows run through the model.', registers: [registry] },
    collect() {
      this.reset();
      this.inc(values.rows);
    },
  });
  return values;
}

/** How predictions are distributed. */
function createPredicted(registry: Registry): Metrics['predicted'] {
  const classes = createCount(registry, {
    name: 'slipway_predictions_total',
    help: 'Rows answered with each class; `other` where the model knows more than 64, or names none.',
    labels: ['class'],
  });
  const values = createSpread(registry, {
    name: 'slipway_prediction_value',
    help: 'Values a regressor answered.',
    buckets: VALUE_BUCKETS,
  });
  const noted: Noted = {
    class: (label, rows) => classes.add(label, undefined, rows),
    value: (value) => values.observe(value),
  };
  const tallies = new WeakMap<ServedModel, Tally>();
  const tallyOf = (model: ServedModel): Tally => {
    const known = tallies.get(model);
    if (known) return known;
    const tally = createTally(model.signature, model.outputs);
    tallies.set(model, tally);
    return tally;
  };
  return (model, { outputs }) => {
    tallyOf(model).add(outputs, noted);
  };
}

/** Processor time, memory and event-loop lag of this process. Once per process: they keep a timer. */
export const collectProcessMetrics = ({ registry }: Metrics): void => collectDefaultMetrics({ register: registry });
