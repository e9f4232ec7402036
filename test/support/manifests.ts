/** The YAML tests apply, as a user would write it. */

/** A TrainingJob on iris with the built-in algorithm; `spec` adds or replaces lines of the spec (JSON is YAML). */
export const irisTraining = (name: string, spec: Record<string, unknown> = {}): string =>
  JSON.stringify({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'TrainingJob',
    metadata: { name },
    spec: {
      model: 'iris',
      algorithm: { name: 'logistic-regression', target: 'species' },
      inputs: [{ name: 'train', uri: 'builtin://iris.csv' }],
      ...spec,
    },
  });

/** An InferenceService for a model. */
export const service = (name: string, spec: Record<string, unknown> = {}): string =>
  JSON.stringify({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'InferenceService',
    metadata: { name },
    spec: { model: 'iris', ...spec },
  });

/** One flower of each class. */
export const setosa = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };
export const virginica = { sepal_length: 6.9, sepal_width: 3.1, petal_length: 5.4, petal_width: 2.1 };
