import type { Tool } from './tools.ts';

/**
 * Module paths that a published go.mod requires at a placeholder version, because its repository replaces them by
 * folders of its own. A pseudo-version that merely starts like the placeholder is a real version and stays.
 */
export function placeholderModules(goMod: string, placeholder: string): string[] {
  const found = goMod
    .split('\n')
    .map((line) =>
      line
        .trim()
        .replace(/^require\s+/, '')
        .split(/\s+/),
    )
    .filter(([path, version]) => version === placeholder && path !== undefined && path.includes('/'))
    .map(([path]) => path as string);
  return [...new Set(found)].sort();
}

/** The go.mod of a folder that exists only to build the tool; `published` is the go.mod of the tool's own module. */
export function goModFor(tool: Tool, published: string): string {
  const lines = [
    `module slipway.dev/build/${tool.name}`,
    '',
    'go 1.24.0',
    '',
    `require ${tool.module} ${tool.moduleVersion}`,
  ];
  if (tool.staging) {
    const { placeholder, version } = tool.staging;
    lines.push('', 'replace (');
    for (const path of placeholderModules(published, placeholder)) lines.push(`\t${path} => ${path} ${version}`);
    lines.push(')');
  }
  return `${lines.join('\n')}\n`;
}

/** A Go file whose imports make `go mod tidy` keep what the build needs. */
export function toolsFileFor(tool: Tool): string {
  const imports = Object.values(tool.binaries).map((path) => `\t_ "${path}"`);
  return ['//go:build tools', '', 'package tools', '', 'import (', ...imports, ')', ''].join('\n');
}
