import { copyFile, rm } from 'node:fs/promises';
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
