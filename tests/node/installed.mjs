// The client as others have it: npm installs it from the server, into a folder of its own.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const packages = fileURLToPath(new URL('node_modules', import.meta.url));

/** For one test file; the folder is gone at its end. */
export async function installClient(server) {
  const folder = await mkdtemp(path.join(tmpdir(), 'chinwag-client-'));
  after(() => rm(folder, { recursive: true }));
  const answer = await fetch(`${server.url}/chinwag-client.tgz`);
  const tarball = Buffer.from(await answer.arrayBuffer());
  await writeFile(path.join(folder, 'chinwag-client.tgz'), tarball);
  await writeFile(path.join(folder, 'package.json'), '{"private":true,"type":"module"}');
  // What it depends on is there before, so that npm asks no registry.
  for (const name of needs('socket.io-client'))
    await cp(path.join(packages, name), path.join(folder, 'node_modules', name), { recursive: true });
  const quiet = ['--no-audit', '--no-fund', '--cache', path.join(folder, 'cache')];
  const install = ['install', '--offline', ...quiet, './chinwag-client.tgz'];
  execFileSync('npm', install, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const installed = path.join(folder, 'node_modules/chinwag-client');
  const load = () => import(pathToFileURL(path.join(installed, 'dist/index.js')));
  return { folder, tarball, installed, load };
}

/** A package and all that it depends on. */
function needs(name, found = new Set()) {
  const about = path.join(packages, name, 'package.json');
  // A package that has a version of its own brings it along.
  if (found.has(name) || !existsSync(about)) return found;
  found.add(name);
  const { dependencies = {} } = JSON.parse(readFileSync(about, 'utf8'));
  for (const needed of Object.keys(dependencies)) needs(needed, found);
  return found;
}
