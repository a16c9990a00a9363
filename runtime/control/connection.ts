/** A command's way to the Loch that runs on its data directory: finds it, connects, and closes whatever happens. */
import { type ConnectLochOptions, connectLoch, type LochClient } from './client.ts'
import { type RunningInstance, requireRunningInstance } from './running-instance.ts'

/** `command` is who asks, for errors. Rejects with Refused if nothing runs there, and with what `use` rejects with. */
export async function withLoch<A>(
  data: string,
  command: string,
  use: (client: LochClient, instance: RunningInstance) => Promise<A>,
): Promise<A> {
  const instance = requireRunningInstance(data, command)
  const options: ConnectLochOptions = { nats: instance.natsUrl, project: instance.project }
  const client = await connectLoch(options)
  try {
    return await use(client, instance)
  } finally {
    await client.close()
  }
}
