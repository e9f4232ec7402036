/** Every endpoint of MLflow's REST API that is answered: one file a family, one line here. */
import type { MlflowDeps } from '../deps.ts';
import type { Endpoint } from '../endpoint.ts';
import { artifactsEndpoints } from './artifacts.ts';
import { experimentsEndpoints } from './experiments.ts';
import { inputsEndpoints } from './inputs.ts';
import { loggedModelsEndpoints } from './logged-models.ts';
import { metricsEndpoints } from './metrics.ts';
import { modelVersionsEndpoints } from './model-versions.ts';
import { registeredModelsEndpoints } from './registered-models.ts';
import { runsEndpoints } from './runs.ts';
import { searchEndpoints } from './search.ts';
import { serverInfoEndpoints } from './server-info.ts';

export const allEndpoints = (deps: MlflowDeps): readonly Endpoint[] => [
  ...experimentsEndpoints(deps),
  ...runsEndpoints(deps),
  ...metricsEndpoints(deps),
  ...inputsEndpoints(deps),
  ...artifactsEndpoints(deps),
  ...searchEndpoints(deps),
  ...registeredModelsEndpoints(deps),
  ...modelVersionsEndpoints(deps),
  ...loggedModelsEndpoints(deps),
  ...serverInfoEndpoints(deps),
];
