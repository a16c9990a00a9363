import { describe, expect, it } from 'vitest'
import { type ReadyReport, readyBanner, readyLine } from './banner.ts'

const report: ReadyReport = {
  listen: { host: '127.0.0.1', port: 5624 },
  password: 'pass-word',
  isFirstStart: true,
  passwordFile: '/data/some where/password',
  natsUrl: 'nats://loch:nats-word@127.0.0.1:4222',
  broker: 'embedded',
  data: '/data/some where',
  dataFlag: 'some where',
  isDefaultData: false,
  objectStore: 'file:///data/objects',
  durability: 'archived',
}

const next = (text: string) => text.slice(text.indexOf('Next:'))

describe('the banner', () => {
  it('shows the password once, and never among the words to type', () => {
    expect(readyBanner(report)).toContain('postgresql://postgres:pass-word@127.0.0.1:5624/postgres')
    expect(readyBanner({ ...report, isFirstStart: false })).not.toContain('pass-word')
    for (const isFirstStart of [true, false]) {
      const words = next(readyBanner({ ...report, isFirstStart }))
      expect(words).not.toContain('pass-word')
      expect(words).toContain(
        "PGPASSWORD=$(cat '/data/some where/password') psql 'postgresql://postgres@127.0.0.1:5624/",
      )
    }
  })

  it('never shows the password of NATS to people, and tells programs everything', () => {
    expect(readyBanner(report)).not.toContain('nats-word')
    expect(JSON.parse(readyLine(report))).toMatchObject({
      url: 'postgresql://postgres:pass-word@127.0.0.1:5624/postgres',
      nats: report.natsUrl,
    })
  })
})
