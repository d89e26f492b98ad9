import { execFileSync } from 'node:child_process';
import { copyFile, rename, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const client = 'node_modules/socket.io-client/dist';

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: [
    { in: 'src/main.ts', out: 'app' },
    { in: 'src/styles/app.css', out: 'app' },
  ],
  outdir: 'dist',
  bundle: true,
  minify: true,
  target: 'es2023',
});
await copyFile('index.html', 'dist/index.html');
for (const file of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js']) {
  await copyFile(`${client}/${file}`, `dist/${file}`);
  await copyFile(`${client}/${file}.map`, `dist/${file}.map`);
}

// The package of the client. The npm that runs this packs the same files into the same bytes.
const node = (...args) => execFileSync(process.execPath, args, { encoding: 'utf8' });
await rm('client/dist', { recursive: true, force: true });
node('node_modules/typescript/bin/tsc', '-p', 'client');
await copyFile('contract/chinwag.d.ts', 'client/dist/chinwag.d.ts');
const pack = ['pack', './client', '--pack-destination', 'dist', '--json'];
const [{ filename }] = JSON.parse(node(process.env.npm_execpath, ...pack));
await rename(`dist/${filename}`, 'dist/chinwag-client.tgz');
