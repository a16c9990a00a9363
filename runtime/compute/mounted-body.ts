/**
 * A compute's body in the real world: the volume is a FUSE mount, Postgres a child process on it. It only joins the two;
 * what each of them does stands in attached-volume.ts and postgres-run.ts.
 */
import { killPostgresBelow } from '../postgres/orphans.ts'
import type { PostgresProcess } from '../postgres/server.ts'
import { type AttachedVolume, attachVolume } from './attached-volume.ts'
import { ClientDoor } from './client-door.ts'
import type { ComputeBody, LogPositions, PostgresBody, VolumeBody } from './compute-body.ts'
import type { BodyEnvironment } from './environment.ts'
import { createCluster, followPassword, launchPostgres } from './postgres-run.ts'
import { mountPlace } from './volume-place.ts'

export function mountedBody(environment: BodyEnvironment): ComputeBody {
  const place = mountPlace(environment)
  return {
    attach: async (ports, reign, events, signal) =>
      new MountedVolume(environment, await attachVolume(place, ports, reign, events, signal)),
  }
}

class MountedVolume implements VolumeBody {
  readonly #environment: BodyEnvironment
  readonly #volume: AttachedVolume

  constructor(environment: BodyEnvironment, volume: AttachedVolume) {
    this.#environment = environment
    this.#volume = volume
  }

  get positions(): LogPositions {
    const { end, durable, archived } = this.#volume.log.shared
    return { end, durable, archived }
  }

  get isLeased(): boolean {
    return this.#volume.log.isLeased
  }

  get quiet(): boolean {
    return this.#volume.log.shared.quiet
  }
  set quiet(value: boolean) {
    this.#volume.log.shared.quiet = value
  }

  createCluster(signal: AbortSignal): Promise<void> {
    return createCluster(this.#environment, this.#volume.mountPath, signal)
  }

  killPostgres(): Promise<unknown> {
    return killPostgresBelow(this.#volume.mountPath)
  }

  async launch(isWarm: boolean): Promise<PostgresBody> {
    return new Child(this.#environment, await launchPostgres(this.#environment, this.#volume.mountPath, isWarm))
  }

  flush(): Promise<void> {
    return this.#volume.flush()
  }

  guard(): Promise<void> {
    return this.#volume.guard()
  }

  fail(): void {
    this.#volume.log.writer.fail()
  }

  detach(): Promise<void> {
    return this.#volume.detach()
  }
}

class Child implements PostgresBody {
  readonly pid: number
  readonly ready: Promise<void>
  readonly exited: PostgresProcess['exited']
  readonly #environment: BodyEnvironment
  readonly #server: PostgresProcess
  readonly #door: ClientDoor

  constructor(environment: BodyEnvironment, server: PostgresProcess) {
    this.pid = server.pid
    this.ready = server.ready
    this.exited = server.exited
    this.#environment = environment
    this.#server = server
    this.#door = new ClientDoor(server.pid)
  }

  followPassword(): Promise<void> {
    return followPassword(this.#environment, this.#server)
  }

  closeClients(): void {
    this.#door.close()
  }

  openClients(): void {
    this.#door.open()
  }

  stop(mode: 'fast' | 'immediate'): Promise<unknown> {
    return this.#server.stop(mode)
  }

  kill(): Promise<unknown> {
    return this.#server.kill()
  }
}
