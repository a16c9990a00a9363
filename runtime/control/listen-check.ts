/**
 * Whether an address can be listened on, asked by trying, before anything long is begun: the postmaster would find out
 * only after the volume is attached. Between the question and its use somebody else may take the port; Postgres then
 * says so itself.
 */
import { type AddressInfo, createServer } from 'node:net'
import { AddressTaken, BadArgument } from '../errors.ts'
import { formatListen, type ListenAddress } from './flags.ts'

/** The address with a port: the one given, or a free one for port 0. Rejects with AddressTaken or BadArgument. */
export function claimableAddress(address: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => reject(refusal(address, error)))
    server.listen({ host: address.host === '*' ? '::' : address.host, port: address.port, exclusive: true }, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve({ host: address.host, port }))
    })
  })
}

function refusal(address: ListenAddress, error: Error): AddressTaken | BadArgument {
  const complaint = { component: '--listen', value: formatListen(address), cause: error }
  const code = 'code' in error ? String(error.code) : error.message
  if (code === 'EADDRINUSE') {
    return new AddressTaken({
      ...complaint,
      problem: 'another program listens on this address',
      remedy: `Stop that program, or choose another port: --listen ${address.host}:PORT (0 for any free one).`,
    })
  }
  return new BadArgument({
    ...complaint,
    problem:
      code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' ? 'this host has no such address' : `listening fails (${code})`,
    remedy: 'Use an address of this host: 127.0.0.1 for local clients, 0.0.0.0 for all.',
  })
}
