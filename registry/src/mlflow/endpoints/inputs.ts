import type { MlflowDeps } from '../deps.ts';
import type { Endpoint } from '../endpoint.ts';

export const inputsEndpoints = (_deps: MlflowDeps): readonly Endpoint[] => [];
