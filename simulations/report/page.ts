/**
 * One run as one page: a recording, a style and a script in a file that needs no network and no server, and asks for none.
 * Whatever a run says is data in it: nothing of a recording may ever be read as markup or as a program.
 */
import { SCRIPT } from './page-script.ts'
import { STYLE } from './page-style.ts'
import type { Recording } from './recorder.ts'

export function reportPage(recording: Recording): string {
  const title = `Loch simulation, seed ${recording.seed}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header id="header"></header>
<nav id="controls"></nav>
<main><section id="chart"></section><aside id="moment"></aside></main>
<script type="application/json" id="recording">${embedded(recording)}</script>
<script>${SCRIPT}</script>
</body>
</html>
`
}

/** JSON in which nothing can end the element that it stands in, or begin another. */
export function embedded(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
