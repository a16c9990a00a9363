import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectionUrl, ensurePassword, generatePassword, readPassword, writePassword } from './credentials.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loch-credentials-'))
  file = join(directory, 'password')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('a password is long, fit for a URL, and never the same', () => {
  const passwords = Array.from({ length: 200 }, generatePassword)
  for (const password of passwords) expect(password).toMatch(/^[A-Za-z][A-Za-z0-9_-]{31}$/)
  expect(new Set(passwords).size).toBe(200)
})

test('a password file is created once, only root reads it, and nothing else is left', () => {
  expect(readPassword(file)).toBeUndefined()
  const password = ensurePassword(file)
  expect(ensurePassword(file)).toBe(password)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  writePassword(file, 'another one')
  expect(readPassword(file)).toBe('another one')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(directory)).toEqual(['password'])
})

test('a file that is empty or cannot be written is an error that names it', () => {
  writeFileSync(file, '\n')
  expect(() => readPassword(file)).toThrow(expect.objectContaining({ _tag: 'DiskFailed', value: file }))
  const absent = join(directory, 'absent/password')
  expect(() => writePassword(absent, 'x')).toThrow(expect.objectContaining({ _tag: 'DiskFailed', value: absent }))
  expect(existsSync(absent)).toBe(false)
})

test('a connection URL gives back every part that it was made of', () => {
  const part = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => value.isWellFormed())
  // As the last part of a path these two mean a directory, however they are written: libpq takes them, but no parser of URLs.
  const name = part.filter((value) => value !== '.' && value !== '..')
  fc.assert(
    fc.property(part, part, name, fc.integer({ min: 1, max: 65535 }), (user, password, database, port) => {
      const url = new URL(connectionUrl({ user, password, host: 'db.example', port, database }))
      expect(decodeURIComponent(url.username)).toBe(user)
      expect(decodeURIComponent(url.password)).toBe(password)
      expect(decodeURIComponent(url.pathname.slice(1))).toBe(database)
      expect([url.hostname, url.port]).toEqual(['db.example', String(port)])
    }),
  )
})

test('a connection URL brackets IPv6, replaces wildcards, and names a socket directory', () => {
  const url = (host: string) => connectionUrl({ user: 'postgres', host, port: 5433, database: 'app' })
  expect(url('2001:db8::1')).toBe('postgresql://postgres@[2001:db8::1]:5433/app')
  expect(url('0.0.0.0')).toBe('postgresql://postgres@127.0.0.1:5433/app')
  expect(url('::')).toBe('postgresql://postgres@[::1]:5433/app')
  expect(url('/run/loch/x')).toBe('postgresql://postgres@/app?host=%2Frun%2Floch%2Fx&port=5433')
})
