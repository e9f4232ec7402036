/** Every shape that crosses a process border. Pure: no IO, no clock, zod only. */
export * from './access.ts';
export * from './algorithms.ts';
export * from './artifact.ts';
export * from './control-api.ts';
export * from './hash.ts';
export * from './lineage.ts';
export * from './object-location.ts';
export * from './pod-env.ts';
export * from './prediction-files.ts';
export * from './publication.ts';
export * from './run-key.ts';
export * from './run-token.ts';
export * from './serving.ts';
export * from './signature.ts';
export * from './tenant.ts';
export * from './termination.ts';
export * from './trainer-files.ts';
