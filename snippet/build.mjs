// Builds dist/ and, with --check, proves that the committed dist/ is fresh and small enough.
import { build, transform } from 'esbuild';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const here = new URL('.', import.meta.url);
// Constructable style sheets decide how old a browser may be; all these know ES2020.
const target = 'es2020';
const browsers = ['chrome90', 'firefox101', 'safari16.4'];

/** The files a site loads, and how many bytes each may cost on the wire (gzip -9). */
const goals = {
  'e.js': { entry: 'src/tracker/index.ts', gzip_bytes: 3 * 1024 },
  'launcher.js': { entry: 'src/launcher/index.ts', gzip_bytes: 1024 },
  'moments.js': { entry: 'src/launcher/moments.ts', gzip_bytes: 1024 },
  'forms.js': { entry: 'src/forms/index.ts', gzip_bytes: 7 * 1024 },
  'chat.js': { entry: 'src/chat/index.ts', gzip_bytes: 25 * 1024 },
};

/** Style sheets are read as real CSS files and travel inside the script as one small string. */
const css = {
  name: 'css',
  setup(plugin) {
    plugin.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), { loader: 'css', minify: true, target: browsers });
      return { contents: code.trim(), loader: 'text' };
    });
  },
};

async function bundle(entry) {
  const { outputFiles } = await build({
    absWorkingDir: new URL('.', here).pathname,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target,
    tsconfigRaw: { compilerOptions: { alwaysStrict: false } },
    plugins: [css],
    // Names that end in `_` never leave the script: they may become one letter.
    mangleProps: /[a-z]_$/,
    legalComments: 'none',
  });
  return Buffer.from(outputFiles[0].contents);
}

const check = process.argv.includes('--check');
let failed = false;
const complain = (text) => {
  failed = true;
  console.error(text);
};

await mkdir(new URL('dist/', here), { recursive: true });
for (const [name, { entry, gzip_bytes }] of Object.entries(goals)) {
  const file = new URL(`dist/${name}`, here);
  const made = await bundle(entry);
  const size = gzipSync(made, { level: 9 }).length;
  console.log(`${name}  ${made.length} bytes  ${size} gzip  (at most ${gzip_bytes})`);
  if (size > gzip_bytes) complain(`${name} is ${size - gzip_bytes} bytes too big`);
  if (!check) await writeFile(file, made);
  else {
    const kept = await readFile(file).catch(() => Buffer.alloc(0));
    if (!kept.equals(made)) complain(`dist/${name} is not what src/ builds; hint: npm run build, then commit dist/`);
  }
}

// Nobody who installs this should be sent to a machine named in the lock file.
const lock = await readFile(new URL('package-lock.json', here), 'utf8');
if (/"resolved":/.test(lock)) complain('package-lock.json names a registry; hint: npm install with the .npmrc beside it');
process.exit(failed ? 1 : 0);
