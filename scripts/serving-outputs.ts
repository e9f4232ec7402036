/** What docs/serving.md shows, from an iris service of its own with two versions. */
import { waitForTrainedVersion, waitForVersion } from '../test/support/conditions.ts';
import { eventually } from '../test/support/eventually.ts';
import { apply, dropNamespace, kubectl, makeNamespace, uniqueNamespace } from '../test/support/kubectl.ts';
import { irisTraining, service } from '../test/support/manifests.ts';
import { withPortForward } from '../test/support/port-forward.ts';
import { shownCommands } from './shown-commands.ts';

const namespace = uniqueNamespace('docs-serving');
const json = "-H 'content-type: application/json'";
const flower = '"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4';

const asked = async (...lines: string[]): Promise<string> =>
  (await withPortForward(namespace, 'svc/iris', 80, (url) => shownCommands(lines, url))).replaceAll(
    namespace,
    'team-a',
  );
const show = (...args: string[]): string =>
  `$ kubectl ${args.join(' ')}\n${kubectl([...args, '-n', namespace]).trimEnd()}`.replaceAll(namespace, 'team-a');

async function trained(): Promise<void> {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  const first = await waitForTrainedVersion(namespace, 'iris');
  apply(namespace, irisTraining('iris', { parameters: { C: '0.1' } }));
  await waitForTrainedVersion(namespace, 'iris', first);
  apply(namespace, service('iris', { version: '1', api: { allowVersionSwitch: true } }));
  await waitForVersion(namespace, 'iris', 1);
}

let ready: Promise<void> | undefined;
const withService = (use: () => Promise<string>) => async (): Promise<string> => {
  ready ??= trained();
  await ready;
  return use();
};

/** By the name of the block. */
export const servingOutputs: Readonly<Record<string, () => Promise<string>>> = {
  refusals: withService(() =>
    asked(
      `curl -s localhost:8080/predict ${json} -d '{"samples":[{${flower},"petal_width":"wide"}]}'`,
      `curl -s localhost:8080/predict ${json} -d '{${flower}}'`,
      `curl -s localhost:8080/invocations ${json} -d '{"inputs":[[5.1,3.5,1.4]]}'`,
      `curl -s localhost:8080/v2/models/iris/versions/7/infer ${json} -d '{"inputs":[]}'`,
    ),
  ),
  health: withService(() => asked('curl -s localhost:8080/health')),
  predictionlog: withService(async () => {
    await asked(`curl -s localhost:8080/predict ${json} -d '{${flower},"petal_width":0.2}'`);
    const line = await eventually(() => {
      const found = kubectl(['logs', 'deploy/iris', '-n', namespace, '-c', 'server'])
        .split('\n')
        .findLast((text) => text.includes('"input_stats"') && text.includes('"status":"success"'));
      if (!found) throw new Error('no line yet');
      return found;
    }, 30_000);
    return `$ kubectl logs deploy/iris -c server | tail -n 1\n${line}`;
  }),
  switch: withService(async () => {
    const answered = await asked(`curl -s localhost:8080/model/version ${json} -d '{"version":"2"}'`);
    await waitForVersion(namespace, 'iris', 2);
    return `${answered}\n${show('get', 'infsvc', 'iris')}`;
  }),
};

/** Removes what the outputs were made from. */
export const dropServing = (): string => dropNamespace(namespace);
