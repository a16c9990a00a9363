import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{events,actors,runtime,simulations}/**/*.test.ts'],
    exclude: ['dist/**', 'node_modules/**'],
    pool: 'forks',
    // Tests wait for conditions, so a slow machine costs time and nothing else.
    testTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 120_000,
  },
})
