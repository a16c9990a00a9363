/**
 * What every server that Loch uses must do with the bytes of the NATS protocol. The same cases run against the embedded
 * broker and against nats-server, so the second is the judge of the first. Expectations are exact bytes.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OpenServer, QUIET, QUIET_WITH_HEADERS, RawClient, TestScope, type TestServer } from './testing.ts'

const UNKNOWN = "-ERR 'Unknown Protocol Operation'\r\n"

export function protocolContract(name: string, open: OpenServer): void {
  describe(`the NATS protocol of ${name}`, () => {
    let scope: TestScope
    let server: TestServer

    beforeEach(async () => {
      scope = new TestScope()
      server = await scope.open(open({}))
    })
    afterEach(() => scope.close())

    const raw = () => RawClient.open(scope, server.port)

    it('greets with INFO', async () => {
      const client = await raw()
      const info: unknown = JSON.parse(client.info.replace(/^INFO /, ''))
      expect(info).toMatchObject({ proto: 1, headers: true, max_payload: 1_048_576, port: server.port })
    })

    it.each([
      [
        'acknowledges everything unless told otherwise',
        'SUB a 1\r\nPUB b 2\r\nhi\r\nUNSUB 1\r\nUNSUB 9\r\n',
        '+OK\r\n'.repeat(4),
      ],
      ['is verbose if CONNECT does not mention it', 'CONNECT {}\r\n', '+OK\r\n'],
      ['acknowledges nothing when told so', `${QUIET}SUB a 1\r\nUNSUB 1\r\n`, ''],
      ['delivers a message', `${QUIET}SUB a 1\r\nPUB a 2\r\nhi\r\n`, 'MSG a 1 2\r\nhi\r\n'],
      ['delivers a reply subject', `${QUIET}SUB a 1\r\nPUB a r.x 2\r\nhi\r\n`, 'MSG a 1 r.x 2\r\nhi\r\n'],
      ['delivers an empty message', `${QUIET}SUB a 1\r\nPUB a 0\r\n\r\n`, 'MSG a 1 0\r\n\r\n'],
      [
        'takes line breaks in a payload as payload',
        `${QUIET}SUB a 1\r\nPUB a 8\r\n\r\nPING\r\n\r\n`,
        'MSG a 1 8\r\n\r\nPING\r\n\r\n',
      ],
      ['takes subjects of any bytes', `${QUIET}SUB \xc3\xa9 1\r\nPUB \xc3\xa9 1\r\nx\r\n`, 'MSG \xc3\xa9 1 1\r\nx\r\n'],
      ['takes operations in lower case', `${QUIET}sub a 1\r\npub a 2\r\nhi\r\n`, 'MSG a 1 2\r\nhi\r\n'],
      ['takes tabs and many blanks', `${QUIET}SUB\ta \t 1  \r\nPUB  a\t2\r\nhi\r\n`, 'MSG a 1 2\r\nhi\r\n'],
      ['takes a line feed for the end of a line', `${QUIET}SUB a 1\nPUB a 2\nhi\r\n`, 'MSG a 1 2\r\nhi\r\n'],
      [
        'takes a repeated sid for the same subscription',
        `${QUIET}SUB a 1\r\nSUB b 1\r\nPUB b 1\r\ny\r\nPUB a 1\r\nx\r\n`,
        'MSG a 1 1\r\nx\r\n',
      ],
      ['ends a subscription', `${QUIET}SUB a 1\r\nUNSUB 1\r\nPUB a 1\r\nx\r\n`, ''],
      [
        'ends a subscription after so many messages',
        `${QUIET}SUB a 1\r\nUNSUB 1 2\r\n${'PUB a 1\r\nx\r\n'.repeat(3)}`,
        'MSG a 1 1\r\nx\r\n'.repeat(2),
      ],
      [
        'ends a subscription that had so many already',
        `${QUIET}SUB a 1\r\nPUB a 1\r\nx\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\n`,
        'MSG a 1 1\r\nx\r\n',
      ],
      [
        'does not send a client its own messages when told so',
        'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\nSUB a 1\r\nPUB a 1\r\nx\r\n',
        '',
      ],
      [
        'delivers headers',
        `${QUIET_WITH_HEADERS}SUB a 1\r\nHPUB a r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n`,
        'HMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n',
      ],
      [
        'says on the inbox that nobody serves a subject',
        `${QUIET_WITH_HEADERS}SUB in.* 7\r\nPUB svc in.1 2\r\nhi\r\n`,
        'HMSG in.1 7 16 16\r\nNATS/1.0 503\r\n\r\n\r\n',
      ],
      ['says nothing about nobody to who did not ask', `${QUIET}SUB in.* 7\r\nPUB svc in.1 2\r\nhi\r\n`, ''],
      [
        'counts nobody but the publisher itself as nobody',
        'CONNECT {"verbose":false,"pedantic":false,"echo":false,"headers":true,"no_responders":true}\r\nSUB a 1\r\nSUB r 2\r\nPUB a r 1\r\nx\r\n',
        'HMSG r 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\n',
      ],
      [
        'refuses malformed subscriptions and goes on',
        `${QUIET}SUB a..b 1\r\nSUB >.a 2\r\nSUB .a 3\r\nSUB a. 4\r\n`,
        "-ERR 'Invalid Subject'\r\n".repeat(4),
      ],
      [
        'takes wildcards for themselves within a longer token',
        `${QUIET}SUB a* 1\r\nPUB ab 1\r\nx\r\nPUB a* 1\r\ny\r\n`,
        'MSG a* 1 1\r\ny\r\n',
      ],
      [
        'complains of a published wildcard if pedantic',
        'CONNECT {"verbose":false,"pedantic":true}\r\nPUB a.* 2\r\nhi\r\n',
        "-ERR 'Invalid Publish Subject'\r\n",
      ],
      ['delivers a malformed subject to nobody', `${QUIET}SUB > 1\r\nPUB a..b 2\r\nhi\r\n`, ''],
    ])('%s', async (_, sent, expected) => {
      const client = await raw()
      expect(await client.exchange(sent)).toBe(expected)
      expect(client.closed).toBe(false)
    })

    it.each([
      ['an unknown operation', 'FOO bar\r\n', UNKNOWN],
      ['an empty line', `${QUIET}\r\n`, UNKNOWN],
      ['a payload longer than its length', `${QUIET}PUB a 2\r\nhello\r\n`, UNKNOWN],
      ['a payload beyond the limit', `${QUIET}PUB a 1048577\r\n`, "-ERR 'Maximum Payload Violation'\r\n"],
      ['a line beyond the limit', `${QUIET}SUB ${'a'.repeat(5_000)} 1\r\n`, "-ERR 'maximum control line exceeded'\r\n"],
      [
        'no_responders without headers',
        'CONNECT {"verbose":false,"no_responders":true}\r\n',
        "-ERR 'no responders requires headers support'\r\n",
      ],
    ])('closes the connection after %s, and says why', async (_, sent, expected) => {
      const client = await raw()
      expect(await client.exchange(sent)).toBe(expected)
      expect(client.closed).toBe(true)
    })

    it.each([
      ['a length that is no number', 'PUB a x\r\n'],
      ['a negative length', 'PUB a -1\r\n'],
      ['a length that no computer holds', 'PUB a 99999999999\r\n'],
      ['a PUB without length', 'PUB a\r\n'],
      ['a PUB with too many arguments', 'PUB a b c 3\r\n'],
      ['a SUB without sid', 'SUB a\r\n'],
      ['a SUB with too many arguments', 'SUB a b c d\r\n'],
      ['headers longer than the message', 'HPUB a 20 14\r\n'],
      ['a CONNECT that is not JSON', 'CONNECT {x\r\n'],
    ])('closes the connection after %s', async (_, sent) => {
      const client = await raw()
      await client.exchange(`${QUIET_WITH_HEADERS}${sent}`)
      expect(client.closed).toBe(true)
    })

    it('strips headers for a subscriber that does not know them', async () => {
      const subscriber = await raw()
      await subscriber.exchange(`${QUIET}SUB a 1\r\n`)
      const publisher = await raw()
      await publisher.exchange(`${QUIET_WITH_HEADERS}HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n`)
      expect(await subscriber.exchange('')).toBe('MSG a 1 2\r\nhi\r\n')
    })

    it('refuses headers from a client that did not announce them', async () => {
      const client = await raw()
      await client.exchange(`${QUIET}HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n`)
      expect(client.closed).toBe(true)
    })

    it('forgets the subscriptions of a connection that ended', async () => {
      const gone = await raw()
      await gone.exchange(`${QUIET}SUB svc 1\r\n`)
      await gone.exchange('FOO\r\n')
      expect(gone.closed).toBe(true)
      const client = await raw()
      const refusal = 'HMSG in 7 16 16\r\nNATS/1.0 503\r\n\r\n\r\n'
      expect(await client.exchange(`${QUIET_WITH_HEADERS}SUB in 7\r\nPUB svc in 1\r\nx\r\n`)).toBe(refusal)
    })

    it('understands a conversation that is cut in two at any byte', async () => {
      const conversation =
        'SUB s.* 1\r\nSUB t q 2\r\nPUB s.a r 5\r\nhello\r\nHPUB t 12 17\r\nNATS/1.0\r\n\r\nhello\r\nUNSUB 2\r\nUNSUB 1 2\r\nPUB s.b 0\r\n\r\nPING\r\n'
      const answer = 'MSG s.a 1 r 5\r\nhello\r\nHMSG t 2 12 17\r\nNATS/1.0\r\n\r\nhello\r\nMSG s.b 1 0\r\n\r\n'
      const client = await raw()
      await client.send(QUIET_WITH_HEADERS)
      for (let at = 1; at < conversation.length; at++) {
        await client.send(conversation.slice(0, at))
        // The next write follows when the event loop has been round: another segment, another read at the server.
        await new Promise((resolve) => setImmediate(resolve))
        await client.send(conversation.slice(at))
        expect(await client.untilPong(), `cut at ${at}`).toBe(answer)
      }
    })
  })
}
