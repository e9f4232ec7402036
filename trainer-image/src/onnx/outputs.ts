/** The outputs of a model by their names; with an underscore behind them where a feature has the name already. */
export interface OutputNames {
  readonly label: string;
  readonly probabilities: string;
  readonly prediction: string;
}

/** Names that no feature has. */
export function outputNames(features: readonly { readonly name: string }[]): OutputNames {
  const taken = new Set(features.map(({ name }) => name));
  const free = (name: string): string => (taken.has(name) ? free(`${name}_`) : name);
  return { label: free('label'), probabilities: free('probabilities'), prediction: free('prediction') };
}
