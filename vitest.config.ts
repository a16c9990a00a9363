import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{events,actors,runtime,simulations}/**/*.test.ts'],
    exclude: ['dist/**', 'node_modules/**'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
