/**
 * Runs the formatter and linter. Its binary is depended on platform by platform: the package that would choose one lists
 * platforms that not every registry carries, and a lockfile made without them is refused by `npm ci`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const binary = `node_modules/@biomejs/cli-${process.platform}-${process.arch}/biome`;
if (!existsSync(binary)) {
  console.error(`no ${binary}: package.json names the binaries for Linux on x64 and arm64; install yours beside them`);
  process.exit(1);
}
process.exit(spawnSync(binary, process.argv.slice(2), { stdio: 'inherit' }).status ?? 1);
