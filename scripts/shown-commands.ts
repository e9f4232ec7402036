/** Commands as a reader would paste them, run as they stand, and what they print. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The port the documents forward a service to. */
const SHOWN = 'localhost:8080';
/** Longer answers are cut: the documents show what there is, not all of it. */
const MAX_ANSWER = 900;

/** Runs each line in bash with `localhost:8080` standing for `url`. Rejects when one fails. */
export async function shownCommands(lines: readonly string[], url: string): Promise<string> {
  const { host } = new URL(url);
  const parts: string[] = [];
  for (const line of lines) {
    const { stdout } = await run('bash', ['-ec', line.replaceAll(SHOWN, host)]);
    const answer = stdout.trimEnd().replaceAll(host, SHOWN);
    parts.push(`$ ${line}\n${answer.length > MAX_ANSWER ? `${answer.slice(0, MAX_ANSWER)}…` : answer}`);
  }
  return parts.join('\n');
}

const json = "-H 'content-type: application/json'";

/** One line for each way to ask the iris service of the examples for a prediction. */
export const PROTOCOL_LINES: readonly string[] = [
  `curl -s localhost:8080/predict ${json} -d '{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'`,
  `curl -s localhost:8080/predict ${json} -d '{"sepal length (cm)":5.1,"sepal width (cm)":3.5,"petal length (cm)":1.4,"petal width (cm)":0.2}'`,
  `curl -s 'localhost:8080/predict?probabilities=true' ${json} -d '{"samples":[{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}]}'`,
  `curl -s localhost:8080/invocations ${json} -d '{"inputs":[[5.1,3.5,1.4,0.2]]}'`,
  `printf 'sepal_length,sepal_width,petal_length,petal_width\\n5.1,3.5,1.4,0.2\\n' | curl -s localhost:8080/invocations -H 'content-type: text/csv' --data-binary @-`,
  `curl -s localhost:8080/v1/models/iris:predict ${json} -d '{"instances":[[5.1,3.5,1.4,0.2]]}'`,
  `curl -s localhost:8080/v2/models/iris/versions/1/infer ${json} -d '{"inputs":[{"name":"features","shape":[1,4],"datatype":"FP32","data":[5.1,3.5,1.4,0.2]}],"outputs":[{"name":"label"}]}'`,
  'curl -s localhost:8080/model/version',
  `curl -s localhost:8080/predict ${json} -d '{"samples":[{"sepal_length":"wide","sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}]}'`,
];
