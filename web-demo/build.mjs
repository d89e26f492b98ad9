import { copyFile, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const client = 'node_modules/socket.io-client/dist';

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/main.ts', 'src/app.css'],
  entryNames: 'app',
  outdir: 'dist',
  bundle: true,
  minify: true,
  target: 'es2022',
});
await copyFile('index.html', 'dist/index.html');
for (const file of ['socket.io.js', 'socket.io.min.js', 'socket.io.esm.min.js']) {
  await copyFile(`${client}/${file}`, `dist/${file}`);
}
