import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { CommandFailed, run } from './exec.ts';
import { exists, readIfThere, removeLeftovers, writeWhole } from './files.ts';
import { goModFor, toolsFileFor } from './go-module.ts';
import { findGo } from './go-toolchain.ts';
import type { Paths } from './paths.ts';
import { step } from './progress.ts';
import type { Tool } from './tools.ts';

/** The folder that holds (or will hold) the tool's binaries. */
export function folderOf(paths: Paths, tool: Tool): string {
  return `${paths.bin}/${tool.name}-${tool.version}`;
}

async function prepareModule(go: string, folder: string, tool: Tool): Promise<void> {
  const download = await run(go, ['mod', 'download', '-json', `${tool.module}@${tool.moduleVersion}`], { cwd: '/' });
  const { GoMod: publishedFile } = JSON.parse(download.stdout) as { GoMod: string };
  const goMod = goModFor(tool, await readFile(publishedFile, 'utf8'));
  if ((await readIfThere(`${folder}/wanted.mod`)) === goMod) return;
  await writeWhole(`${folder}/tools.go`, toolsFileFor(tool));
  await writeWhole(`${folder}/go.mod`, goMod);
  await run(go, ['mod', 'tidy'], { cwd: folder });
  // Last, so that a folder whose preparation was cut short is prepared again.
  await writeWhole(`${folder}/wanted.mod`, goMod);
}

async function build(paths: Paths, tool: Tool): Promise<void> {
  const go = await findGo();
  const source = `${paths.source}/${tool.name}-${tool.version}`;
  await mkdir(source, { recursive: true });
  await mkdir(paths.bin, { recursive: true });
  await prepareModule(go, source, tool);
  await removeLeftovers(paths.bin, `.${tool.name}-`);
  const output = await mkdtemp(`${paths.bin}/.${tool.name}-`);
  const logFile = `${source}/build.log`;
  await rm(logFile, { force: true });
  try {
    for (const [binary, packagePath] of Object.entries(tool.binaries)) {
      const flags = ['-trimpath', '-buildvcs=false', '-ldflags', `-s -w ${tool.linkerFlags ?? ''}`.trim()];
      const args = ['build', ...flags, '-o', `${output}/${binary}`, packagePath];
      await run(go, args, { cwd: source, env: { CGO_ENABLED: '0' }, logFile });
    }
    await rename(output, folderOf(paths, tool));
  } catch (error) {
    const said = (await readIfThere(logFile))?.trimEnd().split('\n').slice(-20).join('\n') ?? '';
    throw new CommandFailed(`building ${tool.name} failed: ${(error as Error).message}\n${said}`);
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** Builds the tool unless it is in the cache already; the folder appears only when all of its binaries are there. */
export async function ensureBuilt(paths: Paths, tool: Tool): Promise<void> {
  if (await exists(folderOf(paths, tool))) return;
  await step(`build ${tool.name} ${tool.version}`, () => build(paths, tool), `once, about ${tool.takes} on two cores`);
}
