/** Clients of a service that ask for another version of its model: spec.version is changed, and nothing else is said or done. */
import type { VersionAnswer } from '@slipway/contract';
import { findCondition } from '../api/conditions.ts';
import { VersionSelector } from '../api/fields.ts';
import { type InferenceService, READY, Reason } from '../controllers/inference-service/api.ts';
import { choose, type Problem, versionFacts } from '../controllers/inference-service/versions.ts';
import { ModelVersion } from '../controllers/model-version/api.ts';
import type { KubeReader } from '../kube/client.ts';
import { isConflict, isForbidden, isInvalid, isNotFound } from '../kube/errors.ts';
import type { DeclaredVersion } from '../kube/version-access.ts';
import type { Logger } from '../runtime/reconcile.ts';
import { conflict, forbidden, invalid, notFound } from './refusal.ts';

/** The object as the API server has it. */
export interface VersionAccess {
  /** What it asks for now, which the cache may not have seen yet. Throws KubeError. */
  declared(service: InferenceService): Promise<DeclaredVersion>;
  /** Sets spec.version of this very object and answers with its new generation. Throws KubeError. */
  setVersion(service: InferenceService, version: string): Promise<number>;
}

export interface VersionControlDeps {
  readonly kube: () => KubeReader;
  readonly access: VersionAccess;
  readonly log: Pick<Logger, 'warn'>;
}

export interface VersionControl {
  /** How it goes with what the service asks for; `generation`: what is older says nothing. */
  current(service: InferenceService, generation?: number): VersionAnswer;
  /** Asks for that version. Throws ControlRefusal: 403 not allowed, 404 no such version, 409 held by others or not ready, 422. */
  switchTo(service: InferenceService, version: unknown): Promise<VersionAnswer>;
}

/** Nothing that comes by itself will make these answer. */
const FAILURES = new Set<string>([
  Reason.ModelNotFound,
  Reason.VersionNotFound,
  Reason.VersionNotReady,
  Reason.VersionRejected,
  Reason.OutOfMemory,
  Reason.CrashLoop,
]);

const MISSING = new Set<string>([Reason.ModelNotFound, Reason.VersionNotFound]);

export function createVersionControl({ kube, access, log }: VersionControlDeps): VersionControl {
  /** Why there is no such version to serve; undefined when there is one. */
  function problemWith(service: InferenceService, version: string): Problem | undefined {
    const { metadata, spec } = service;
    const { namespace, name } = metadata;
    const objects = kube()
      .list(ModelVersion, { namespace })
      .filter((object) => object.spec.model === spec.model);
    const number = /^[0-9]+$/.test(version) ? Number(version) : version;
    const wish = { namespace, name, model: spec.model, version: number };
    // One that was turned down before may be asked for again: that is how it is tried again.
    const choice = choose(wish, {
      versions: versionFacts(objects, spec),
      serving: undefined,
      refusalOf: () => undefined,
    });
    return 'problem' in choice ? choice.problem : undefined;
  }

  /** Throws ControlRefusal or KubeError. */
  async function change(service: InferenceService, version: string): Promise<VersionAnswer> {
    // A client that has just asked for another version must not hear what was before that.
    const now = await access.declared(service);
    if (now.version === version) return { ...answerOf(service, now.generation), requested: version };
    if (now.applier !== undefined) {
      throw conflict(
        `spec.version is declared by the field manager ${now.applier}, which would set it back: change it there, or leave spec.version out there`,
      );
    }
    const generation = await access.setVersion(service, version);
    return { status: 'ROLLING_OUT', requested: version, generation };
  }

  /** What asking again cannot help. A rule's own words may name what is no business of a client: they go to the log. */
  function refusalOf({ metadata: { namespace, name } }: InferenceService, error: unknown): unknown {
    if (isConflict(error) || isNotFound(error)) {
      return conflict(`InferenceService ${namespace}/${name} was changed or replaced meanwhile: ask again`);
    }
    if (!isForbidden(error) && !isInvalid(error)) return error;
    log.warn({ error, namespace, name }, 'a version that a client asked for could not be written');
    return forbidden(
      `the cluster refuses another spec.version for InferenceService ${namespace}/${name}: the operator's log has its words`,
    );
  }

  const current = (service: InferenceService, generation = 0): VersionAnswer => answerOf(service, generation);

  return {
    current,
    async switchTo(service, given) {
      const { metadata, spec } = service;
      if (!spec.api?.allowVersionSwitch) {
        throw forbidden(
          `InferenceService ${metadata.namespace}/${metadata.name} lets no client switch its version: set spec.api.allowVersionSwitch to true`,
        );
      }
      const version = selectorIn(given);
      const problem = problemWith(service, version);
      if (problem) throw (MISSING.has(problem.reason) ? notFound : conflict)(problem.message);
      try {
        return await change(service, version);
      } catch (error) {
        throw refusalOf(service, error);
      }
    },
  };
}

/** Throws 422 for what is no number, stage, `latest` or alias. */
function selectorIn(given: unknown): string {
  const parsed = VersionSelector.safeParse(given);
  if (parsed.success) return String(parsed.data);
  const got = given === null ? 'null' : Array.isArray(given) ? 'list' : typeof given;
  const type = typeof given === 'string' || typeof given === 'number' ? 'value_error' : 'string_type';
  const msg = `Input should be a version's number, latest, Staging, Production, Archived, or @ and an alias, got ${got === 'string' ? 'another string' : got}`;
  throw invalid({ loc: ['body', 'version'], type, msg });
}

function answerOf({ metadata, spec, status }: InferenceService, least: number): VersionAnswer {
  const generation = metadata.generation ?? 0;
  const base = { requested: String(spec.version), generation: Math.max(generation, least) };
  const ready = findCondition(status?.conditions, READY);
  const isOfNow = generation >= least && ready?.observedGeneration === generation;
  if (!isOfNow) return { status: 'ROLLING_OUT', ...base };
  if (ready.status === 'True') {
    const { version } = status ?? {};
    return { status: 'SERVING', ...base, ...(version !== undefined && { version }) };
  }
  if (!FAILURES.has(ready.reason)) return { status: 'ROLLING_OUT', ...base };
  return { status: 'FAILED', ...base, error: { reason: ready.reason, message: ready.message } };
}
