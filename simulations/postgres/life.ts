/**
 * The life of one simulated server. Once it has ended, or the process that hosts it is dead, nothing it waits for comes back
 * to it: its promises stay open for ever, which is what being killed means for code. All of the server's file operations go
 * through here, so no part of it needs to ask whether it still lives.
 */
import type { Process } from '../kernel/kernel.ts'
import type { SimMount } from './mount.ts'

export interface Exit {
  readonly code: number
  readonly reason?: string
}

export class Life {
  readonly exited: Promise<Exit>
  readonly #process: Process
  #resolve!: (exit: Exit) => void
  #hasEnded = false

  constructor(process: Process) {
    this.#process = process
    this.exited = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  get isOver(): boolean {
    return this.#hasEnded || !this.#process.isAlive
  }

  end(exit: Exit): void {
    this.#hasEnded = true
    this.#resolve(exit)
  }

  /** Settles like `promise`, unless life is over by then. */
  guard<A>(promise: Promise<A>): Promise<A> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.isOver || resolve(value),
        (error) => this.isOver || reject(error),
      )
    })
  }
}

/** The mount as one life sees it. */
export class LivingMount implements SimMount {
  readonly #life: Life
  readonly #mount: SimMount

  constructor(life: Life, mount: SimMount) {
    this.#life = life
    this.#mount = mount
  }

  lookup(path: string): Promise<number> {
    return this.#life.guard(this.#mount.lookup(path))
  }

  create(path: string): Promise<number> {
    return this.#life.guard(this.#mount.create(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.#life.guard(this.#mount.makeDirectory(path))
  }

  list(path: string): Promise<readonly string[]> {
    return this.#life.guard(this.#mount.list(path))
  }

  size(ino: number): Promise<number> {
    return this.#life.guard(this.#mount.size(ino))
  }

  read(ino: number, offset: number, length: number): Promise<Buffer> {
    return this.#life.guard(this.#mount.read(ino, offset, length))
  }

  write(ino: number, offset: number, bytes: Uint8Array): Promise<void> {
    return this.#life.guard(this.#mount.write(ino, offset, bytes))
  }

  truncate(ino: number, size: number): Promise<void> {
    return this.#life.guard(this.#mount.truncate(ino, size))
  }

  unlink(path: string): Promise<void> {
    return this.#life.guard(this.#mount.unlink(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#life.guard(this.#mount.rename(from, to))
  }

  fsync(ino: number): Promise<void> {
    return this.#life.guard(this.#mount.fsync(ino))
  }
}
