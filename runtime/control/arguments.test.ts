import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadArgument } from '../errors.ts'
import { commandHelp, nearest, parseArguments } from './arguments.ts'
import { commands } from './command-table.ts'
import { formatListen, parseListen } from './flags.ts'

const up = (...words: readonly string[]) => parseArguments('up', commands.up, words)

function refusal(work: () => unknown): BadArgument {
  try {
    work()
  } catch (error) {
    if (error instanceof BadArgument) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('arguments', () => {
  it('take the defaults where nothing is said', () => {
    const { values } = up()
    expect(values).toMatchObject({ data: '.loch', json: false, listen: { host: '127.0.0.1', port: 5624 } })
    expect(values['cache-size']).toBe(2 ** 30)
    expect(values.zones).toBeUndefined()
  })

  it('are read from every flag of the command', () => {
    const words = ['--data', 'd', '--listen', '0.0.0.0:5432', '--object-store', 's3://b/p', '--nats', 'nats://h:4222']
    const more = ['--cache-size', '1.5GB', '--zones=1', '--durability', 'quorum', '--project', 'shop', '--json']
    expect(up(...words, ...more).values).toEqual({
      data: 'd',
      listen: { host: '0.0.0.0', port: 5432 },
      'object-store': 's3://b/p',
      nats: 'nats://h:4222',
      'cache-size': 1.5 * 2 ** 30,
      zones: 1,
      durability: 'quorum',
      project: 'shop',
      json: true,
      help: false,
    })
  })

  it('with an unknown flag are refused with the nearest one', () => {
    const error = refusal(() => up('--durabilty', 'quorum'))
    expect(error).toMatchObject({ component: 'loch up', value: '--durabilty' })
    expect(error.remedy).toContain('--durability')
  })

  it('with a name of the prototype chain are refused like any other', () => {
    expect(refusal(() => up('--constructor')).problem).toContain('no such flag')
  })

  it.each([
    [['--data'], '--data'],
    [['--data', '--json'], '--data'],
    [['--data='], '--data'],
    [['--json=yes'], '--json'],
    [['--listen', 'localhost'], '--listen'],
    [['--listen', '127.0.0.1:70000'], '--listen'],
    [['--cache-size', '10'], '--cache-size'],
    [['--cache-size', '1XB'], '--cache-size'],
    [['--zones', '0'], '--zones'],
    [['--zones', 'three'], '--zones'],
    [['--durability', 'always'], '--durability'],
    [['--nats', 'http://h'], '--nats'],
    [['--project', 'No Name'], '--project'],
    [['extra'], 'loch up'],
  ])('%j are refused by a complaint about %s', (words, component) => {
    const error = refusal(() => up(...words))
    expect(error.component).toBe(component)
    expect(error.remedy).not.toBe('')
  })

  it('keep a password out of the complaint about an address', () => {
    expect(JSON.stringify(refusal(() => up('--nats', 'nats://user:secret@h:x')))).not.toContain('secret')
  })

  it('let SQL be an operand, also after flags', () => {
    expect(parseArguments('sql', commands.sql, ['--data', 'd', 'select 1']).operands).toEqual(['select 1'])
  })
})

describe('listen addresses', () => {
  it('survive being written and read', () => {
    const hosts = fc.constantFrom('127.0.0.1', 'localhost', '::1', '0.0.0.0')
    fc.assert(
      fc.property(hosts, fc.integer({ min: 0, max: 65_535 }), (host, port) => {
        expect(parseListen(formatListen({ host, port }), '--listen')).toEqual({ host, port })
      }),
    )
  })
})

describe('help', () => {
  it('explains every flag that can be parsed', () => {
    for (const [name, declaration] of Object.entries(commands)) {
      const page = commandHelp(name, declaration)
      for (const flag of Object.keys(declaration.flags)) expect(page).toContain(`--${flag}`)
    }
  })
})

describe('the nearest word', () => {
  it('is found through a slip, and not where nothing is near', () => {
    expect(nearest('statsu', Object.keys(commands))).toBe('status')
    expect(nearest('xyzzyplugh', Object.keys(commands))).toBeUndefined()
  })
})
