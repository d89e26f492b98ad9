// The client as frontends get it: npm installs it from the server, into a folder of its own.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const packages = fileURLToPath(new URL('node_modules', import.meta.url));

/** Installs the client for one test file, and deletes the folder at the end. */
export async function installClient(server) {
  const folder = await mkdtemp(path.join(tmpdir(), 'chinwag-client-'));
  after(() => rm(folder, { recursive: true }));
  const answer = await fetch(`${server.url}/chinwag-client.tgz`);
  const tarball = Buffer.from(await answer.arrayBuffer());
  await writeFile(path.join(folder, 'chinwag-client.tgz'), tarball);
  await writeFile(path.join(folder, 'package.json'), '{"private":true,"type":"module"}');
  // The client's dependencies are there already, so that npm asks no registry.
  for (const name of needs('socket.io-client'))
    await cp(path.join(packages, name), path.join(folder, 'node_modules', name), { recursive: true });
  const quiet = ['--no-audit', '--no-fund', '--cache', path.join(folder, 'cache')];
  const install = ['install', '--offline', ...quiet, './chinwag-client.tgz'];
  execFileSync('npm', install, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const installed = path.join(folder, 'node_modules/chinwag-client');
  const load = () => import(pathToFileURL(path.join(installed, 'dist/index.js')));
  return { folder, tarball, installed, load };
}

/** The names of a package and all its dependencies. */
function needs(name, found = new Set()) {
  const about = path.join(packages, name, 'package.json');
  // A dependency in another version is in the package's own folder, which is copied with it.
  if (found.has(name) || !existsSync(about)) return found;
  found.add(name);
  const { dependencies = {} } = JSON.parse(readFileSync(about, 'utf8'));
  for (const needed of Object.keys(dependencies)) needs(needed, found);
  return found;
}
