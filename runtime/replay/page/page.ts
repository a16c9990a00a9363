/**
 * One run as one page: what is shown of it, a style and a script in a file that needs no network and no server, and asks for none.
 * Whatever a run says is data in it: nothing of it may ever be read as markup or as a program.
 */
import { SCRIPT } from './page-script.ts'
import { STYLE } from './page-style.ts'
import type { Shown } from './shown.ts'

export function pageOf(shown: Shown): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${inMarkup(shown.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header id="header"></header>
<nav id="controls"></nav>
<main><section id="chart"></section><aside id="moment"></aside></main>
<script type="application/json" id="recording">${embedded(shown)}</script>
<script>${SCRIPT}</script>
</body>
</html>
`
}

/** Text between two tags. */
function inMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

/** JSON in which nothing can end the element that it stands in, or begin another. */
export function embedded(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
