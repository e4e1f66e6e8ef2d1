// Starts a headless Chromium that can reach only this machine. Uses the one that CHROMIUM names, or one on
// the PATH, or the one in the package @sparticuz/chromium with the libraries that it needs.
import { execFile } from 'node:child_process';
import { access, constants, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import puppeteer from 'puppeteer-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const HERE = fileURLToPath(new URL('.', import.meta.url));
const MODULES = join(HERE, 'node_modules');
const UNPACK = "import chromium from '@sparticuz/chromium'; await chromium.executablePath();";

const usable = (path, mode) => access(path, mode).then(() => true, () => false);

async function onPath() {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES) {
      if (await usable(join(folder, name), constants.X_OK)) return join(folder, name);
    }
  }
}

// The package unpacks into the folder for temporary files, and unpacks its libraries only on a machine that
// looks like a Lambda. It is unpacked into another folder and then renamed, so that two starts at the same
// time never see half a file.
async function packaged() {
  const folder = join(MODULES, '.chromium');
  if (!(await usable(folder, constants.R_OK))) {
    const fresh = await mkdtemp(join(MODULES, '.chromium-'));
    const env = { ...process.env, TMPDIR: fresh, AWS_LAMBDA_JS_RUNTIME: 'nodejs22.x' };
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', UNPACK], { env, cwd: HERE });
    // The fonts are searched below /tmp, whatever folder they are unpacked into. A page without a font draws
    // no text.
    const fonts = join(fresh, 'fonts', 'fonts.conf');
    await writeFile(fonts, (await readFile(fonts, 'utf8')).replaceAll('/tmp/fonts', join(folder, 'fonts')));
    await rename(fresh, folder).catch(async (error) => {
      await rm(fresh, { recursive: true, force: true });
      if (!(await usable(folder, constants.R_OK))) throw error;
    });
  }
  return {
    executablePath: join(folder, 'chromium'),
    env: { ...process.env, LD_LIBRARY_PATH: join(folder, 'al2023/lib'), FONTCONFIG_PATH: join(folder, 'fonts') },
  };
}

export async function launch() {
  const installed = process.env.CHROMIUM || (await onPath());
  const program = installed ? { executablePath: installed } : await packaged();
  return puppeteer.launch({
    ...program,
    headless: 'shell',
    args: ['--no-sandbox', '--disable-quic', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'],
  });
}
