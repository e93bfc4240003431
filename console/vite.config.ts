import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** The daemon to develop against: `TIDEGATE_URL=http://localhost:7070 npm run dev`. */
const daemon = process.env['TIDEGATE_URL'] ?? 'http://127.0.0.1:4180';

export default defineConfig({
  base: './',
  plugins: [svelte({ configFile: false })],
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: false },
  server: { proxy: { '/v1': daemon } },
});
