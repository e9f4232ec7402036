export * from './open.ts';
export * from './policies.ts';
export * from './retrying.ts';
export * from './sts.ts';
export * from './types.ts';
