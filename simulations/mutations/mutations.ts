/** All deliberate errors that the simulator must find. Their results stand in README.md; nothing runs them here. */
import { COMPUTE_MUTATIONS } from './compute-mutations.ts'
import type { Mutation } from './mutation.ts'
import { SAFEKEEPER_MUTATIONS } from './safekeeper-mutations.ts'
import { STORE_MUTATIONS } from './store-mutations.ts'

export const MUTATIONS: readonly Mutation[] = [...SAFEKEEPER_MUTATIONS, ...COMPUTE_MUTATIONS, ...STORE_MUTATIONS]
