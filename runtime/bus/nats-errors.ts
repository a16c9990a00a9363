/**
 * Why a NATS server could not be connected to, or a message not be sent, in words that lead to the remedy. Nothing here
 * connects, and no credential may get into a text: addresses are shown without them.
 */
import { BadArgument, BusUnavailable } from '../errors.ts'
import type { BusAddress } from './address.ts'
import { PAYLOAD_BYTES_MAX } from './bus.ts'

/** From whatever the client library rejected with. */
export function connectFailed(address: BusAddress, cause: unknown): BusUnavailable {
  const { problem, remedy } = explain(codeOf(cause), cause)
  return new BusUnavailable({ component: 'bus', value: address.shown, problem, remedy, cause })
}

export function payloadTooSmall(address: BusAddress, bytes: number): BusUnavailable {
  return new BusUnavailable({
    component: 'bus',
    value: address.shown,
    problem: `the NATS server carries messages of at most ${bytes} bytes`,
    remedy: 'Set max_payload: 1MB in its configuration.',
  })
}

export function malformedSubject(subject: string): BadArgument {
  return new BadArgument({
    component: 'bus',
    value: JSON.stringify(subject),
    problem: 'this is not a subject that can be used here',
    remedy: 'Join non-empty tokens without blanks by dots; wildcards (*, > at the end) only where you subscribe.',
  })
}

export function payloadTooLarge(subject: string, bytes: number): BadArgument {
  return new BadArgument({
    component: 'bus',
    value: subject,
    problem: `a message of ${bytes} bytes is larger than the ${PAYLOAD_BYTES_MAX} that NATS carries`,
    remedy: 'Send it in parts, or put it into the object store and send its name.',
  })
}

function codeOf(cause: unknown): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''
}

/** Codes of the client library (NatsError.code), of node:net, node:dns and node:tls. */
function explain(code: string, cause: unknown): { readonly problem: string; readonly remedy: string } {
  switch (code) {
    case 'CONNECTION_REFUSED':
    case 'ECONNREFUSED':
      return { problem: 'nobody listens at this address', remedy: 'Start the NATS server, or correct the address.' }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { problem: 'the host name cannot be resolved', remedy: 'Correct the name, or check the DNS of this host.' }
    case 'TIMEOUT':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return {
        problem: 'the server cannot be reached in time',
        remedy: 'Check the address, the network and firewalls between here and there.',
      }
    case 'AUTHORIZATION_VIOLATION':
    case 'AUTHENTICATION_TIMEOUT':
    case 'BAD_AUTHENTICATION':
      return {
        problem: 'the NATS server refuses our credentials',
        remedy: 'Put user and password, or a token, into the address: nats://user:password@host:port.',
      }
    case 'SERVER_OPT_NA':
    case 'TLS':
    case 'CERT_HAS_EXPIRED':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        problem: `TLS could not be agreed on (${textOf(cause)})`,
        remedy:
          'Use tls:// if the server wants TLS, nats:// if it has none, and the name in a certificate that this host trusts ' +
          '(NODE_EXTRA_CA_CERTS names a file of further ones).',
      }
    default:
      return {
        problem: `what answers there is not a NATS server, or refuses us (${textOf(cause)})`,
        remedy: 'Check that the address is that of the client port of a NATS server, by default 4222.',
      }
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
