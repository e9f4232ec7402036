export * from './migrate.ts';
export * from './pool.ts';
export * from './publish.ts';
export * from './reader.ts';
export * from './stores.ts';
export * from './types.ts';
