/** The figures of a load in words. */
import type { Figures } from './load.ts';

export const perSecond = ({ perSecond }: Figures): string => perSecond.toFixed(perSecond < 100 ? 1 : 0);
export const milliseconds = ({ p50Ms, p95Ms }: Figures): string => `${p50Ms.toFixed(1)} / ${p95Ms.toFixed(1)}`;
