/**
 * Bundles every image's `src/main.ts` into `dist/main.mjs`, so that a Dockerfile only has to COPY `dist`.
 * Usage: node scripts/bundle.ts [workspace…]
 */
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

interface Bundle {
  readonly workspace: string;
  /** Programs beside `main`, by the name of their file: each is whole, and so holds nothing but what it needs. */
  readonly entries?: Readonly<Record<string, string>>;
  /** Packages that stay outside the bundle because they hold native code. */
  readonly external?: readonly string[];
  /** Files beside the bundle: [from, to below dist]. */
  readonly copies?: readonly (readonly [from: string, to: string])[];
}

const arch = process.env['TARGETARCH'] === 'arm64' ? 'arm64' : process.arch === 'arm64' ? 'arm64' : 'x64';
const onnxruntime = 'node_modules/onnxruntime-node';

const bundles: readonly Bundle[] = [
  { workspace: 'operator' },
  { workspace: 'registry' },
  { workspace: 'trainer-image', copies: [['trainer-image/data', 'data']] },
  {
    workspace: 'serving-image',
    entries: { proof: 'src/model/worker/proof-entry.ts' },
    external: ['onnxruntime-node'],
    // The package carries binaries for five platforms (288 MB); an image needs one.
    copies: [
      ['node_modules/onnxruntime-common', 'node_modules/onnxruntime-common'],
      [`${onnxruntime}/package.json`, `${onnxruntime}/package.json`],
      [`${onnxruntime}/dist`, `${onnxruntime}/dist`],
      [`${onnxruntime}/bin/napi-v6/linux/${arch}`, `${onnxruntime}/bin/napi-v6/linux/${arch}`],
      // What the page at /docs is made of, without source maps and other builds of the same.
      ...['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'NOTICE'].map(
        (file) => [`node_modules/swagger-ui-dist/${file}`, `swagger-ui/${file}`] as const,
      ),
    ],
  },
];

/** CommonJS packages inside an ES module bundle still call `require`. */
const banner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/**
 * `import` of these would read every export at once, and some of those load large parts of Node (http.WebSocket loads
 * fetch and all behind it: 14 MB and 30 ms). Asked for this way an export is read when it is used.
 */
const lazyExports: Plugin = {
  name: 'lazy-exports-of-node',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:node:)?(?:http|https|crypto)$/ }, ({ path }) => ({ path, namespace: 'node-lazy' }));
    onLoad({ filter: /.*/, namespace: 'node-lazy' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/**
 * The contract's schemas are made when their module is read, which takes 50 ms: only for programs that use one.
 */
const pureContract: Plugin = {
  name: 'pure-contract',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^(?:@slipway\/contract$|\.\/)/ }, async ({ path, pluginData, ...from }) => {
      const isContract = path.startsWith('@') || /\/contract\/src\/[^/]+\.ts$/.test(from.importer);
      if (pluginData === pureContract || !isContract) return undefined;
      return { ...(await resolve(path, { ...from, pluginData: pureContract })), sideEffects: false };
    });
  },
};

async function bundle({ workspace, entries, external = [], copies = [] }: Bundle): Promise<void> {
  const out = join(workspace, 'dist');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const [name, file] of Object.entries({ main: 'src/main.ts', ...entries })) {
    await build({
      entryPoints: { [name]: join(workspace, file) },
      outdir: out,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // What a command imports for itself is read when it is given.
      splitting: true,
      platform: 'node',
      format: 'esm',
      plugins: [lazyExports, pureContract],
      target: 'node24',
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'external',
      logLevel: 'warning',
      external: [...external],
      banner: { js: banner },
    });
  }
  for (const [from, to] of copies) if (existsSync(from)) cpSync(from, join(out, to), { recursive: true });
}

const wanted = process.argv.slice(2);
for (const entry of bundles) if (wanted.length === 0 || wanted.includes(entry.workspace)) await bundle(entry);
