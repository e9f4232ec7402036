import type { MlflowDeps } from '../deps.ts';
import type { Endpoint } from '../endpoint.ts';

export const metricsEndpoints = (_deps: MlflowDeps): readonly Endpoint[] => [];
