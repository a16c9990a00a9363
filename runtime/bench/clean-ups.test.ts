import { expect, test } from 'vitest'
import { CleanUps } from './clean-ups.ts'

test('the last that was started ends first, and one that fails keeps none of the others', async () => {
  const seen: unknown[] = []
  const cleanUps = new CleanUps((error) => seen.push(error))
  cleanUps.add(async () => void seen.push('first'))
  cleanUps.add(() => Promise.reject('broken'))
  cleanUps.add(async () => void seen.push('last'))
  await cleanUps.end(Promise.resolve())
  expect(seen).toEqual(['last', 'broken', 'first'])
})

test('what is started by work that was interrupted is ended too', async () => {
  const seen: string[] = []
  const cleanUps = new CleanUps(() => {})
  let goOn = () => {}
  const working = new Promise<void>((resolve) => {
    goOn = resolve
  }).then(() => {
    cleanUps.add(async () => void seen.push('late'))
    throw new Error('all is gone')
  })
  cleanUps.add(async () => goOn())
  await cleanUps.end(working)
  expect(seen).toEqual(['late'])
})
