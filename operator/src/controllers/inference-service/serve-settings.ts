/** What a service's spec says of how to answer, as its model servers are told: the one place where SERVE_SETTINGS is made. */
import type { ServeSettings } from '@slipway/contract';
import type { z } from 'zod';
import type { InferenceService } from './api.ts';
import { predictionLogSettings } from './prediction-log.ts';

/** Only what differs from the defaults: a setting that is new in an operator's version rolls no pod that does not use it. */
export type GivenSettings = z.input<typeof ServeSettings>;

/** Pure, with its keys always in the same order. */
export const serveSettings = ({ spec }: InferenceService): GivenSettings => ({
  ...(spec.engine !== 'auto' && { engine: spec.engine }),
  ...predictionLogOf(spec),
  ...(spec.cors && { cors: { origins: spec.cors.origins } }),
  ...(spec.auth && {
    auth: {
      ...(spec.auth.apiKeys && { apiKeys: true }),
      ...(spec.auth.tokens && {
        tokens: { audience: spec.auth.tokens.audience, serviceAccounts: spec.auth.tokens.serviceAccounts },
      }),
    },
  }),
  ...(spec.tls && { tls: true }),
});

function predictionLogOf({ predictionLog }: InferenceService['spec']): Pick<GivenSettings, 'predictionLog'> {
  const settings = predictionLog ? predictionLogSettings(predictionLog) : {};
  return Object.keys(settings).length === 0 ? {} : { predictionLog: settings };
}

/** The environment of a model server: empty where everything is left at its default. */
export function serveSettingsEnv(owner: InferenceService): Readonly<Record<string, string>> {
  const settings = serveSettings(owner);
  return Object.keys(settings).length === 0 ? {} : { SERVE_SETTINGS: JSON.stringify(settings) };
}
