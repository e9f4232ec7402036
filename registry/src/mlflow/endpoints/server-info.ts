/** What clients ask before they decide how to move artifacts. */
import { z } from 'zod';
import type { MlflowDeps } from '../deps.ts';
import { type Endpoint, endpoint } from '../endpoint.ts';

/** With presigned URLs clients move large files straight to and from the store. */
const infoFor = (presigned: boolean) => ({
  store_type: 'SqlStore',
  workspaces_enabled: false,
  trace_archival_enabled: false,
  multipart_uploads_enabled: presigned,
  multipart_downloads_enabled: presigned,
  presigned_upload_run_id_supported: false,
  presigned_upload_model_id_supported: false,
  features_enabled: { gateway: false },
});

export const serverInfoEndpoints = ({ artifacts }: MlflowDeps): readonly Endpoint[] => [
  endpoint({
    method: 'GET',
    path: 'server-info',
    api: '3.0',
    access: 'read',
    request: z.object({}),
    answer: async () => infoFor(artifacts.presigned ?? false),
  }),
];
