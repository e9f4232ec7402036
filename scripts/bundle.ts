/**
 * Bundles every image's `src/main.ts` into `dist/main.mjs`, so that a Dockerfile only has to COPY `dist`.
 * Usage: node scripts/bundle.ts [workspace…]
 */
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

interface Bundle {
  readonly workspace: string;
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

async function bundle({ workspace, external = [], copies = [] }: Bundle): Promise<void> {
  const out = join(workspace, 'dist');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await build({
    entryPoints: [join(workspace, 'src/main.ts')],
    outfile: join(out, 'main.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    plugins: [lazyExports],
    target: 'node24',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'external',
    logLevel: 'warning',
    external: [...external],
    banner: { js: banner },
  });
  for (const [from, to] of copies) if (existsSync(from)) cpSync(from, join(out, to), { recursive: true });
}

const wanted = process.argv.slice(2);
for (const entry of bundles) if (wanted.length === 0 || wanted.includes(entry.workspace)) await bundle(entry);
