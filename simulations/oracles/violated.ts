/**
 * Something that must hold did not, and somebody looked for just that: a bound was missed, or a plan not followed. Its words
 * say all there is, while where in the simulator it was noticed says nothing. What nobody looked for is a defect, and keeps
 * its stack.
 */
export class Violated extends Error {
  readonly words: string

  constructor(words: string) {
    super(words)
    this.words = words
  }
}
