import { ANSWERS_DIR, CREDENTIALS_DIR, INPUT_DIR, OUTPUT_DIR, PublishRun, shortHash } from '@slipway/contract';
import { connect, findPublished, publishRun, type Queryable } from '@slipway/database';
import { openObjectStore } from '@slipway/object-store';
import { z } from 'zod';
import {
  DeadlineSeconds,
  DeniedGraceSeconds,
  type Env,
  Json,
  parseEnv,
  readObjectStorageAccess,
  readPostgresAccess,
} from '../environment.ts';
import type { Log } from '../log.ts';
import { persistence } from '../persist.ts';
import { tellExternal } from './external.ts';
import { publish } from './publish.ts';

const PublishEnv = z.object({
  PUBLISH_RUN: Json.pipe(PublishRun),
  POD_UID: z.string().min(1),
  PUBLISH_DEADLINE_SECONDS: DeadlineSeconds,
  DENIED_GRACE_SECONDS: DeniedGraceSeconds,
  INPUT_DIR: z.string().default(INPUT_DIR),
  OUTPUT_DIR: z.string().default(OUTPUT_DIR),
  ANSWERS_DIR: z.string().default(ANSWERS_DIR),
  CREDENTIALS_DIR: z.string().default(CREDENTIALS_DIR),
});

/** `publish` with the real stores and the real clock. */
export async function runPublish(log: Log, env: Env, step: (name: string) => void = () => {}): Promise<void> {
  const config = parseEnv(PublishEnv, env);
  const dir = config.CREDENTIALS_DIR;
  // A connection for each call: there are two of them, and the password may be renewed in between.
  const withPostgres = async <T>(work: (on: Queryable) => Promise<T>): Promise<T> => {
    const pool = connect(await readPostgresAccess(dir), { applicationName: 'slipway-publish', max: 1 });
    return work(pool).finally(() => pool.end());
  };
  await publish(config.PUBLISH_RUN, {
    inputDir: config.INPUT_DIR,
    outputDir: config.OUTPUT_DIR,
    answersDir: config.ANSWERS_DIR,
    attempt: shortHash(config.POD_UID, 12),
    openStore: async () => openObjectStore(await readObjectStorageAccess(dir)),
    findPublished: (runKey) => withPostgres((on) => findPublished(on, runKey)),
    publishRun: (request) => withPostgres((on) => publishRun(on, request)),
    tellExternal: (uri, run) => tellExternal(uri, run, log),
    persist: persistence({
      log,
      deadline: Date.now() + config.PUBLISH_DEADLINE_SECONDS * 1000,
      deniedGraceMs: config.DENIED_GRACE_SECONDS * 1000,
    }),
    now: Date.now,
    log,
    step,
  });
}
