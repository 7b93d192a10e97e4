/**
 * How the page is built: one script and one style sheet with hashed names, nothing from elsewhere. `npx vite page` serves
 * it from source, with the data of the sidecar on 127.0.0.1:15100.
 */
import { join } from 'node:path';
import { defineConfig } from 'vite';

const ADMIN = 'http://127.0.0.1:15100';

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  publicDir: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: join(import.meta.dirname, '../dist/page'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { '/v1': ADMIN } },
});
