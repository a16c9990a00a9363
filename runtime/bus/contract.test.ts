/** The bus contract against both servers that Loch can start. */
import { describe, expect, it } from 'vitest'
import { busContract } from './contract.ts'
import { findNatsServer, openBroker } from './spawn.ts'

busContract('the embedded broker', (options) => openBroker({ ...options, prefer: 'embedded' }))

if (findNatsServer() !== undefined) {
  busContract('nats-server', (options) => openBroker({ ...options, prefer: 'nats-server' }))
} else {
  describe('nats-server', () => {
    it('is NOT INSTALLED, so the contract was checked against the embedded broker only', () => {
      expect(findNatsServer()).toBeUndefined()
    })
  })
}
