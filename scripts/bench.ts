/** Runs every measurement in bench/ one after the other, and says on what machine and versions it ran. */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

const cpu = /model name\s*:\s*(.+)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
console.log(
  `machine: ${cpu}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.version}; ` +
    `slipway ${JSON.parse(readFileSync('package.json', 'utf8')).version}`,
);
for (const file of globSync('bench/*.ts').sort()) {
  console.log(`\n── ${file}`);
  const { status } = spawnSync(process.execPath, [file], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
