import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

import { docs } from './docs.mjs';

const client = 'node_modules/socket.io-client/dist';

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: [
    { in: 'src/main.ts', out: 'app' },
    { in: 'src/styles/app.css', out: 'app' },
    { in: 'src/styles/docs.css', out: 'docs' },
  ],
  outdir: 'dist',
  bundle: true,
  minify: true,
  target: 'es2023',
});
await copyFile('index.html', 'dist/index.html');
const described = async (file) => JSON.parse(await readFile(`contract/${file}`, 'utf8'));
await writeFile('dist/docs.html', docs(await described('asyncapi.json'), await described('openapi.json')));
for (const file of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js']) {
  await copyFile(`${client}/${file}`, `dist/${file}`);
  await copyFile(`${client}/${file}.map`, `dist/${file}.map`);
}
