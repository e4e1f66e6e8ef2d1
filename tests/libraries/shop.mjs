// A site with Segment's browser library, for a page of another origin than Segue's.
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = fileURLToPath(new URL('node_modules/', import.meta.url));
const LIBRARY = join(MODULES, '@segment/analytics-next/dist/umd/index.js');
// Modules written for a bundler name their neighbors without an extension, and other packages only by name.
const IMPORTS = {
  imports: {
    '@segment/analytics-generic-utils': '/modules/@segment/analytics-generic-utils/dist/esm/index.js',
    tslib: '/modules/tslib/tslib.es6.mjs',
  },
};
const PAGE = `<!doctype html><title>A shop</title><script type="importmap">${JSON.stringify(IMPORTS)}</script>
  <script src="/library.js"></script>`;

/** Listens on a free port of this machine. */
export async function serve(handler) {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, host: `127.0.0.1:${server.address().port}` };
}

async function module(path, response) {
  if (extname(path)) {
    response.setHeader('content-type', 'text/javascript');
    return response.end(await readFile(join(MODULES, path)));
  }
  const folder = await stat(join(MODULES, path)).then((found) => found.isDirectory(), () => false);
  response.writeHead(302, { location: `/modules/${path}${folder ? '/index.js' : '.js'}` }).end();
}

export const open = () => serve(async (request, response) => {
  if (request.url.startsWith('/modules/')) return module(request.url.slice('/modules/'.length), response);
  const script = request.url === '/library.js';
  response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
  response.end(script ? await readFile(LIBRARY) : PAGE);
});

/** The library's settings, as Segment's network of delivery would have them; `host` is the host and the base path. */
export function settings(writeKey, host) {
  const segment = { apiKey: writeKey, apiHost: `${host}/v1`, protocol: 'http' };
  return { writeKey, cdnSettings: { integrations: { 'Segment.io': segment } } };
}
