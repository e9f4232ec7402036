/** Listing what a run, or a model it logged, keeps: by the run, where the artifact proxy goes by the path. */
import { z } from 'zod';
import { fileJson } from '../../artifacts/file-json.ts';
import { artifactPathOf, clientUri } from '../../artifacts/location.ts';
import { subPath } from '../../artifacts/path.ts';
import { invalid, missing } from '../../errors.ts';
import { requiredText, text, unlessEmpty } from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';

/** What lies directly in a folder of a root; a file's own path and a path that is not there list nothing. */
async function listing({ artifacts }: MlflowDeps, namespace: string, root: string, folder: string): Promise<object> {
  const uri = clientUri(root, { bucket: artifacts.bucket, namespace });
  const path = artifactPathOf(uri);
  if (path === undefined)
    throw invalid(`The artifacts at '${uri}' lie outside this server's store: list them where they are.`);
  const entries = await artifacts.list(namespace, folder === '' ? path : `${path}/${folder}`);
  return { root_uri: uri, files: unlessEmpty(entries.map((entry) => fileJson(entry, folder))) };
}

export const artifactsEndpoints = (deps: MlflowDeps): readonly Endpoint[] => [
  endpoint({
    method: 'GET',
    path: 'artifacts/list',
    access: 'read',
    // Folders are listed whole: a page_token is of no use.
    request: z.object({ run_id: text(), run_uuid: text(), path: text() }),
    async answer({ namespace }, { run_id, run_uuid, path }) {
      const runId = run_id || run_uuid;
      const folder = subPath(path);
      if (!runId)
        throw invalid(
          "Missing value for required parameter 'run_id'. See the API docs for more information about request parameters.",
        );
      const [run] = await deps.tracking.runsById(namespace, [runId]);
      if (!run) throw missing(`Run with id=${runId} not found`);
      return listing(deps, namespace, run.artifactUri, folder);
    },
  }),
  endpoint({
    method: 'GET',
    path: 'logged-models/{model_id}/artifacts/directories',
    access: 'read',
    request: z.object({ model_id: requiredText(), artifact_directory_path: text() }),
    async answer({ namespace }, { model_id, artifact_directory_path }) {
      const folder = subPath(artifact_directory_path);
      const [model] = await deps.loggedModels.byId(namespace, [model_id]);
      if (!model) throw missing(`Logged model with ID '${model_id}' not found.`);
      return listing(deps, namespace, model.artifactUri, folder);
    },
  }),
];
