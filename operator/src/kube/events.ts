/** Events as `kubectl describe` shows them; equal ones within ten minutes are told once. */
import { createHash } from 'node:crypto';
import type { EventRecord } from './client.ts';
import { resourcePath } from './paths.ts';
import type { Access } from './writer.ts';

const EVENTS = { apiVersion: 'events.k8s.io/v1', plural: 'events' };
const REPEAT_AFTER_MS = 600_000;
const REMEMBERED = 1_000;
/** In bytes of UTF-8; the API server counts so. */
const MAX_NOTE = 1_024;

/** RFC 3339 with microseconds, as Kubernetes writes a MicroTime. */
export const microTime = (at: Date): string => at.toISOString().replace('Z', '000Z');

function shortened(note: string): string {
  if (Buffer.byteLength(note) <= MAX_NOTE) return note;
  const { read } = new TextEncoder().encodeInto(note, new Uint8Array(MAX_NOTE - 3));
  return `${note.slice(0, read)}…`;
}

export function eventRecorder(
  access: Access,
  { instance, now }: { readonly instance: string; readonly now: () => Date },
): (event: EventRecord) => Promise<void> {
  const told = new Map<string, number>();

  return async ({ regarding, type, reason, note }) => {
    const { namespace, name, uid } = regarding.metadata;
    const id = createHash('sha1')
      .update(JSON.stringify([uid, type, reason, note]))
      .digest('hex');
    const at = now();
    if (at.getTime() - (told.get(id) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER_MS) return;
    const { apiVersion, kind } = regarding;
    await access.write({
      method: 'POST',
      path: resourcePath(EVENTS, namespace),
      body: {
        apiVersion: EVENTS.apiVersion,
        kind: 'Event',
        metadata: { namespace, name: `${name}.${at.getTime().toString(16)}${id.slice(0, 6)}` },
        eventTime: microTime(at),
        reportingController: 'slipway.dev/operator',
        reportingInstance: instance,
        action: 'Reconcile',
        type,
        reason,
        note: shortened(note),
        regarding: { apiVersion, kind, namespace, name, uid },
      },
    });
    told.delete(id);
    told.set(id, at.getTime());
    const oldest = told.keys().next().value;
    if (told.size > REMEMBERED && oldest !== undefined) told.delete(oldest);
  };
}
