import type { MlflowDeps } from '../deps.ts';
import type { Endpoint } from '../endpoint.ts';

export const experimentsEndpoints = (_deps: MlflowDeps): readonly Endpoint[] => [];
