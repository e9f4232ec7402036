import { run, which } from './exec.ts';

const neededMinor = 26;

/** Whether a Go that says `go version …` builds our tools, itself or by fetching the toolchain that a module asks for. */
export function isGoodEnough(said: string, toolchainPolicy: string): boolean {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(said) ?? [];
  if (Number(major) !== 1) return false;
  // Go knows toolchains as modules from 1.21 on.
  return Number(minor) >= neededMinor || (Number(minor) >= 21 && toolchainPolicy !== 'local');
}

/** The go command of this machine; one clear error when there is none that will do. */
export async function findGo(): Promise<string> {
  const go = (await which('go')) ?? (await which('go', '/usr/local/go/bin'));
  const wanted = `Go 1.${neededMinor} is needed to build the cluster's programs`;
  if (go === undefined) throw new Error(`${wanted}, and no go is on PATH. Install it from https://go.dev/dl.`);
  const said = (await run(go, ['version'])).stdout.trim();
  const policy = (await run(go, ['env', 'GOTOOLCHAIN'])).stdout.trim();
  if (!isGoodEnough(said, policy)) throw new Error(`${wanted}, and this machine has ${said}.`);
  return go;
}
