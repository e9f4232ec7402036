import type { MlflowDeps } from '../deps.ts';
import type { Endpoint } from '../endpoint.ts';

export const serverInfoEndpoints = (_deps: MlflowDeps): readonly Endpoint[] => [];
