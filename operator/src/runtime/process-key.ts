/**
 * One turn of the loop for one key:
 *
 *   read ── not there ───────────────────────────────→ gone
 *    │   └─ cannot be parsed ─ Warning event ────────→ error (this key alone backs off)
 *   being deleted ─ finalize ─ done: finalizer off ──→ finalized
 *    │                      └─ not yet: status ──────→ blocked
 *   finalizer on
 *   reconcile ── TerminalError ─ Stalled=True ───────→ stalled
 *    │        └─ conflict ───────────────────────────→ conflict (quietly again)
 *    │        └─ lease lost ─────────────────────────→ lost
 *    │        └─ anything else ──────────────────────→ error (logged, counted, again with backoff)
 *   the object was rewritten ────────────────────────→ requeued at once
 *   status written once, if it differs
 *   events on the conditions that changed
 *   success, or look again later ────────────────────→ success | requeued
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { withCondition } from '../api/conditions.ts';
import { NotLeadingError, TerminalError } from '../api/errors.ts';
import type { CommonStatus, Condition, CustomResource, KubeObject, ObjectKey } from '../api/meta.ts';
import type { RuntimeKube } from '../kube/client.ts';
import { isConflict, retryAfterMs } from '../kube/errors.ts';
import { keyOf, UnreadableObjectError } from '../kube/object-cache.ts';
import type { Context, ControllerDefinition, Finalized, Result } from './reconcile.ts';
import type { WorkQueue } from './work-queue.ts';

export const OUTCOMES = [
  'success',
  'requeued',
  'stalled',
  'blocked',
  'finalized',
  'gone',
  'conflict',
  'error',
  'lost',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** A Context whose cluster can do what only the runtime does. */
export interface RuntimeContext extends Context {
  readonly kube: RuntimeKube;
}

export const STALLED = 'Stalled';
/** From here on a key fails every few minutes: each time is worth a line. */
const ALWAYS_LOGGED = 9;

interface Turn {
  readonly outcome: Outcome;
  readonly requeueAfterMs?: number | undefined;
}

/** Never throws. */
export async function processKey<T extends CustomResource>(
  definition: ControllerDefinition<T>,
  ctx: RuntimeContext,
  queue: WorkQueue,
  key: ObjectKey,
): Promise<Outcome> {
  const id = keyOf(key);
  const log = withFields(ctx, { kind: definition.for.kind, object: id, reconcileId: randomUUID().slice(0, 8) });
  try {
    const { outcome, requeueAfterMs } = await turn(definition, { ...ctx, log }, key);
    // The newest turn alone knows when to look again.
    queue.drop(id);
    if (requeueAfterMs !== undefined) queue.addAfter(id, requeueAfterMs);
    log.debug({ outcome }, 'reconciled');
    return outcome;
  } catch (error) {
    return await failed(error, { ...ctx, log }, queue, id);
  }
}

async function failed(error: unknown, ctx: RuntimeContext, queue: WorkQueue, id: string): Promise<Outcome> {
  if (meansLost(error)) {
    ctx.log.warn({ error }, 'not the leader any more');
    return 'lost';
  }
  const failures = queue.retry(id, retryAfterMs(error));
  if (isConflict(error)) {
    ctx.log.debug({ error }, 'conflict, will try again');
    return 'conflict';
  }
  const seldom = failures === 1 || failures >= ALWAYS_LOGGED;
  ctx.log[seldom ? 'error' : 'debug']({ error, failures }, 'reconcile failed, will try again');
  if (error instanceof UnreadableObjectError) {
    await tell(ctx, error.object, { type: 'Warning', reason: 'Unreadable', note: error.message });
  }
  return 'error';
}

/** The stores say it in their own way; they know nothing of this runtime. */
const meansLost = (error: unknown): boolean =>
  error instanceof NotLeadingError || (error instanceof Error && error.name === 'StaleLeaderError');

function withFields({ log }: Context, fields: object): Context['log'] {
  const bound =
    (level: keyof Context['log']) =>
    (more: object, message: string): void =>
      log[level]({ ...fields, ...more }, message);
  return { debug: bound('debug'), info: bound('info'), warn: bound('warn'), error: bound('error') };
}

async function turn<T extends CustomResource>(
  definition: ControllerDefinition<T>,
  ctx: RuntimeContext,
  key: ObjectKey,
): Promise<Turn> {
  const found = ctx.kube.get(definition.for, key);
  if (!found) return { outcome: 'gone' };
  if (found.metadata.deletionTimestamp) return finalize(definition, ctx, found);
  const object = await withFinalizer(definition, ctx, found);
  const { outcome, status, requeueAfterMs, notes, whenWritten, rewritten } = await orStalled(
    definition,
    ctx,
    object,
    () => definition.reconcile(ctx, object),
  );
  if (!rewritten) await report(definition, ctx, object, status);
  whenWritten?.();
  for (const note of notes ?? []) await tell(ctx, object, note);
  if (rewritten) return { outcome: 'requeued', requeueAfterMs: 0 };
  return { outcome: outcome === 'success' && requeueAfterMs !== undefined ? 'requeued' : outcome, requeueAfterMs };
}

/** The object as it is once the finalizer is on it. */
async function withFinalizer<T extends CustomResource>(
  { finalizer, for: kind }: ControllerDefinition<T>,
  ctx: RuntimeContext,
  object: T,
): Promise<T> {
  if (!finalizer || object.metadata.finalizers?.includes(finalizer)) return object;
  await ctx.kube.addFinalizer(object, finalizer);
  return ctx.kube.get(kind, object.metadata) ?? object;
}

/** An object on its way out: only a finalizer of ours gives us anything to do. */
async function finalize<T extends CustomResource>(
  definition: ControllerDefinition<T>,
  ctx: RuntimeContext,
  object: T,
): Promise<Turn> {
  const { finalizer } = definition;
  if (!finalizer || !object.metadata.finalizers?.includes(finalizer)) return { outcome: 'gone' };
  let found: Finalized<CommonStatus> = { done: true };
  const blocked = async (): Promise<Result<CommonStatus>> => {
    if (definition.finalize) found = await definition.finalize(ctx, object);
    return found.done ? { status: object.status ?? {} } : found;
  };
  const { outcome, status, requeueAfterMs } = await orStalled(definition, ctx, object, blocked);
  if (outcome === 'success' && found.done) {
    await ctx.kube.removeFinalizer(object, finalizer);
    return { outcome: 'finalized' };
  }
  await report(definition, ctx, object, status);
  return { outcome: outcome === 'success' ? 'blocked' : outcome, requeueAfterMs };
}

/** A TerminalError becomes conditions; success clears them. Anything else is the caller's to retry. */
async function orStalled<T extends CustomResource>(
  { summary }: ControllerDefinition<T>,
  ctx: RuntimeContext,
  object: T,
  act: () => Promise<Result<CommonStatus>>,
): Promise<Result<CommonStatus> & { readonly outcome: 'success' | 'stalled' }> {
  try {
    const { status, ...rest } = await act();
    const conditions = (status.conditions ?? []).filter(({ type }) => type !== STALLED);
    return { ...rest, status: { ...status, conditions }, outcome: 'success' };
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    const { reason, message, retryAfterMs: later } = error;
    const at = { now: ctx.now(), generation: object.metadata.generation };
    let conditions: readonly Condition[] = object.status?.conditions ?? [];
    conditions = withCondition(conditions, { type: STALLED, status: 'True', reason, message }, at);
    if (summary) conditions = withCondition(conditions, { type: summary, status: 'False', reason, message }, at);
    const requeue = later === undefined ? {} : { requeueAfterMs: later };
    return { ...requeue, status: { ...object.status, conditions }, outcome: 'stalled' };
  }
}

/** Writes the status if it says anything new, and only then tells what changed. */
async function report<T extends CustomResource>(
  definition: ControllerDefinition<T>,
  ctx: RuntimeContext,
  object: T,
  status: CommonStatus,
): Promise<void> {
  const { generation } = object.metadata;
  // What cannot be written (an undefined field) must not count as a difference either.
  const next = JSON.parse(JSON.stringify({ ...status, observedGeneration: generation })) as CommonStatus;
  if (isDeepStrictEqual(next, object.status)) return;
  await ctx.kube.applyStatus(object, next);
  ctx.log.info({ conditions: summaryOf(next) }, 'status changed');
  for (const { type: condition, reason, message } of transitions(object.status, next)) {
    if (definition.quiet?.has(condition)) continue;
    const type = definition.warnings.has(reason) || reason === stalledReason(next) ? 'Warning' : 'Normal';
    await tell(ctx, object, { type, reason, note: message });
  }
}

const stalledReason = ({ conditions }: CommonStatus): string | undefined =>
  conditions?.find(({ type }) => type === STALLED)?.reason;

const summaryOf = ({ conditions = [] }: CommonStatus): string =>
  conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).join(' ');

/** The conditions whose status or reason is new; several that say the same are told once. */
function transitions(before: CommonStatus | undefined, after: CommonStatus): readonly Condition[] {
  const said = new Set<string>();
  return (after.conditions ?? []).filter(({ type, status, reason, message }) => {
    const earlier = before?.conditions?.find((condition) => condition.type === type);
    if (earlier?.status === status && earlier.reason === reason) return false;
    const line = `${reason}\n${message}`;
    if (said.has(line)) return false;
    said.add(line);
    return true;
  });
}

/** An event that cannot be recorded is not worth a retry of the whole turn. */
async function tell(
  ctx: RuntimeContext,
  regarding: KubeObject,
  event: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly note: string },
): Promise<void> {
  try {
    await ctx.kube.recordEvent({ regarding, ...event });
  } catch (error) {
    if (meansLost(error)) throw error;
    ctx.log.warn({ error, reason: event.reason }, 'event not recorded');
  }
}
