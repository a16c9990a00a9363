/** What SIGINT and SIGTERM do to a command that has something to say when it ends. */

const EXIT_IMPATIENT = 130

/** The first signal ends the work, and what there is by then is printed; a second one ends the process. Returns what undoes it. */
export function onSignal(stop: () => void): () => void {
  let signals = 0
  const take = () => {
    signals++
    if (signals > 1) process.exit(EXIT_IMPATIENT)
    stop()
  }
  process.on('SIGINT', take)
  process.on('SIGTERM', take)
  return () => {
    process.off('SIGINT', take)
    process.off('SIGTERM', take)
  }
}
