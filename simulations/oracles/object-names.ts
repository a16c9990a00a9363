/**
 * The oracle of names of objects: a segment and a part of an index are written once, by one writer, who alone knows the name. Whoever
 * asks for such a name with other bytes than stand there has used it twice. Names of journals and of archived log are fought over
 * by design, so they are not looked at.
 */
export interface ObjectNamesPorts {
  readonly violated: (words: string) => void
}

const WRITTEN_ONCE = /^timelines\/[^/]+\/(?:segments|index)\//

export class ObjectNames {
  readonly #ports: ObjectNamesPorts

  constructor(ports: ObjectNamesPorts) {
    this.#ports = ports
  }

  /** A creation met an object of its name. */
  taken(key: string, body: Uint8Array, before: Uint8Array): void {
    if (!WRITTEN_ONCE.test(key) || Buffer.compare(body, before) === 0) return
    this.#ports.violated(`names: ${key} was asked for with other bytes than stand there`)
  }
}
