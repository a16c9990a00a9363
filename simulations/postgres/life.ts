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

  /** Begins `work`, and settles like it, unless life is over by then: a timer may still call into code that is dead. */
  run<A>(work: () => Promise<A>): Promise<A> {
    return new Promise((resolve, reject) => {
      if (this.isOver) return
      work().then(
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
    return this.#life.run(() => this.#mount.lookup(path))
  }

  create(path: string): Promise<number> {
    return this.#life.run(() => this.#mount.create(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.#life.run(() => this.#mount.makeDirectory(path))
  }

  list(path: string): Promise<readonly string[]> {
    return this.#life.run(() => this.#mount.list(path))
  }

  size(ino: number): Promise<number> {
    return this.#life.run(() => this.#mount.size(ino))
  }

  read(ino: number, offset: number, length: number): Promise<Buffer> {
    return this.#life.run(() => this.#mount.read(ino, offset, length))
  }

  write(ino: number, offset: number, bytes: Uint8Array): Promise<void> {
    return this.#life.run(() => this.#mount.write(ino, offset, bytes))
  }

  truncate(ino: number, size: number): Promise<void> {
    return this.#life.run(() => this.#mount.truncate(ino, size))
  }

  unlink(path: string): Promise<void> {
    return this.#life.run(() => this.#mount.unlink(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#life.run(() => this.#mount.rename(from, to))
  }

  fsync(ino: number): Promise<void> {
    return this.#life.run(() => this.#mount.fsync(ino))
  }
}
