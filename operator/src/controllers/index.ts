import type { ControllerDefinition } from '../runtime/reconcile.ts';
import { inferenceServiceController } from './inference-service/index.ts';
import { modelVersionController } from './model-version/index.ts';
import type { ControllerDeps } from './ports.ts';
import { trainingJobController } from './training-job/index.ts';

/** Every controller this process runs. A kind more is a folder beside this file and a line here. */
export const createControllers = (deps: ControllerDeps) =>
  [
    trainingJobController(deps),
    modelVersionController(deps),
    inferenceServiceController(deps),
  ] as unknown as readonly ControllerDefinition[];
