/** The command line of a server that runs alone: `slipway-serving --model model.onnx`. */
import { parseArgs } from 'node:util';
import { EngineChoice } from '@slipway/contract';
import { FailureError } from './failure.ts';

export interface StandaloneOptions {
  /** An `.onnx` file, or a folder with one. */
  readonly model: string;
  readonly host: string;
  readonly port: number;
  /** Absent: the name of the file or folder. */
  readonly name?: string;
  readonly version: string;
  /** Absent: what the environment says, else auto. */
  readonly engine?: EngineChoice;
  /** A line for each prediction. */
  readonly isLogging: boolean;
  /** Origins whose pages may call. */
  readonly cors: readonly string[];
}

const OPTIONS = {
  model: { type: 'string', short: 'm' },
  port: { type: 'string', short: 'p' },
  host: { type: 'string' },
  name: { type: 'string' },
  version: { type: 'string' },
  engine: { type: 'string' },
  cors: { type: 'string', multiple: true },
  'no-log': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** What `--help` prints. */
export const HELP = `Serves one ONNX model over HTTP: POST /predict, MLflow's /invocations, KServe V1, Open Inference Protocol V2, GET /docs.

Usage: slipway-serving --model <file.onnx | folder> [options]

  -m, --model <path>    an .onnx file, or a folder with one: ours (model.onnx, signature.json, examples.json), MLflow's, or
                        what slipway-trainer --output wrote; signature.json and examples.json beside a file are used
  -p, --port <number>   where to listen (8080; 0: any free port)
      --host <address>  which address to listen at (127.0.0.1: this machine only; 0.0.0.0: every one)
      --name <name>     what the model is called (the name of the file or folder)
      --version <text>  which version it is (1)
      --engine <name>   what computes it: auto, compiled or onnxruntime (auto)
      --cors <origin>   an origin whose pages may call, https://app.example or *; may be given several times
      --no-log          no line for each prediction
  -h, --help            this text

Limits come from the environment: MAX_BODY_BYTES, MAX_ROWS, MAX_QUEUED_REQUESTS, REQUEST_TIMEOUT_MS; credentials and
TLS from SERVE_SETTINGS, as in a pod.
`;

const wrong = (message: string): FailureError => new FailureError('InvalidConfiguration', message);
const KNOWN = Object.keys(OPTIONS)
  .map((name) => `--${name}`)
  .join(', ');

/** Undefined: help is wanted. `defaultHost` is where to listen when nothing is said. Throws InvalidConfiguration naming the option. */
export function standaloneOptions(args: readonly string[], defaultHost = '127.0.0.1'): StandaloneOptions | undefined {
  const values = parsed(args);
  if (values.help) return undefined;
  const { model, name } = values;
  if (model === undefined || model === '')
    throw wrong('--model is missing: the path of an .onnx file or of a folder with one');
  return {
    model,
    host: values.host ?? defaultHost,
    port: portOf(values.port ?? '8080'),
    ...(name !== undefined && { name: notEmpty('--name', name) }),
    version: versionOf(values.version ?? '1'),
    ...(values.engine !== undefined && { engine: engineOf(values.engine) }),
    isLogging: values['no-log'] !== true,
    cors: (values.cors ?? []).map(originOf),
  };
}

const shown = (value: unknown): string => JSON.stringify(String(value).slice(0, 64));

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const said = message.split('. ')[0]?.slice(0, 200);
    if (code?.startsWith('ERR_PARSE_ARGS')) throw wrong(`${said}; the options are ${KNOWN}`);
    throw error;
  }
}

function engineOf(text: string): EngineChoice {
  const engine = EngineChoice.safeParse(text);
  if (engine.success) return engine.data;
  throw wrong(`--engine: expected ${EngineChoice.options.join(', ')}, got ${shown(text)}`);
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw wrong(`--port: expected a number from 0 to 65535, got ${shown(text)}`);
}

/** Every answer carries it in a header. */
function versionOf(text: string): string {
  if (/^[\x20-\x7e]{1,256}$/.test(text)) return text;
  throw wrong('--version: expected 1 to 256 characters of ASCII, because every answer carries it in a header');
}

/** As a browser sends it: scheme, host and port, and nothing after them. */
function originOf(text: string): string {
  if (text === '*' || /^https?:\/\/[^/?#\s]+$/.test(text)) return text;
  throw wrong(`--cors: expected * or an origin like https://app.example, got ${shown(text)}`);
}

function notEmpty(option: string, value: string): string {
  if (value !== '' && value.length <= 256) return value;
  throw wrong(`${option}: expected 1 to 256 characters`);
}
