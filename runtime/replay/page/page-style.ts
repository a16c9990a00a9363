/** The looks of the page of a run, as text of CSS. No picture, font or address may be named in it. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #d8dee4; --dim: #656d76; --bad: #cf222e; --good: #1a7f37; --hot: #fff3c4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #30363d; --dim: #8d96a0; --bad: #ff7b72; --good: #3fb950; --hot: #4d3d00; } }
* { box-sizing: border-box; }
body { margin: 0; font: 13px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, nav { padding: 8px 12px; border-bottom: 1px solid var(--faint); }
h1 { font-size: 16px; margin: 0 0 4px; }
pre { margin: 4px 0; white-space: pre-wrap; font: 12px/1.4 ui-monospace, monospace; color: var(--dim); }
.bad { color: var(--bad); } .good { color: var(--good); }
nav { display: flex; gap: 8px; align-items: center; position: sticky; top: 0; background: var(--paper); z-index: 1; }
nav input { flex: 1; }
nav output { font: 12px ui-monospace, monospace; min-width: 84px; text-align: right; }
main { display: flex; align-items: flex-start; }
#chart { flex: 1; min-width: 0; padding: 8px 0 24px 12px; }
#moment { width: 420px; flex: none; padding: 8px 12px; max-height: calc(100vh - 44px); overflow: auto; position: sticky; top: 44px; border-left: 1px solid var(--faint); }
svg { display: block; width: 100%; user-select: none; }
svg text { font: 11px ui-monospace, monospace; fill: var(--dim); }
svg .lane { stroke: var(--faint); } svg .zone { fill: var(--ink); font-weight: 600; }
svg .fault { fill: var(--bad); opacity: .18; } svg .strike { stroke: var(--bad); }
svg .message { stroke: var(--dim); opacity: .35; } svg .cursor { stroke: #0969da; stroke-width: 1.5; }
svg .report { fill: #bf8700; } svg .serving { fill: var(--good); } svg .acknowledged { fill: var(--good); } svg .lost { fill: var(--bad); }
svg polyline { fill: none; stroke-width: 1.5; }
h2 { font-size: 13px; margin: 12px 0 2px; } h3 { font-size: 12px; margin: 6px 0 0; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font: 11px ui-monospace, monospace; table-layout: fixed; }
td { vertical-align: top; padding: 0 4px; overflow-wrap: anywhere; } td:first-child { width: 34%; color: var(--dim); }
tr.changed td { background: var(--hot); } del { color: var(--bad); margin-right: 6px; } .gone { color: var(--dim); text-decoration: line-through; }
@media (max-width: 900px) { main { display: block; } #moment { width: auto; position: static; max-height: none; border: 0; } }
`
