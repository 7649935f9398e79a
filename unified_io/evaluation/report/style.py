"""How the page looks, as CSS.

Colours are Okabe and Ito's, safe for colour-blind readers,
  made darker or lighter where contrast asks. One set of
names has two sets of values: the second is taken where the reader's system is dark.
"""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f6f7f9; --ink: #1b1f24; --soft: #5a6370; --rule: #d9dee5; --link: #005a94;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b0578a; --c4: #c98500; --c5: #3d9bd1; --c6: #1b1f24;
  --reached: #bfdcf0; --narrow: #e0eff8; --close: #fbe9c6; --short: #f7d0b0; --chance: #dcdcdc;
  --good: #00598a; --bad: #a94a00; --band: #8fbfe0; --goal: #d55e00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1d2127; --ink: #e8eaed; --soft: #a3adb8; --rule: #363d46; --link: #7cc0f0;
    --c0: #56b4e9; --c1: #f2803a; --c2: #2cc79b; --c3: #dd9bc0; --c4: #eab040; --c5: #a5d6f5; --c6: #e8eaed;
    --reached: #0f4c75; --narrow: #1d3d54; --close: #54431a; --short: #66381a; --chance: #3c3f44;
    --good: #7cc4f2; --bad: #f7a064; --band: #2f6f9c; --goal: #f2803a;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1.5rem clamp(.8rem, 3vw, 2.5rem) 4rem; max-width: 82rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
h1 { font-size: clamp(1.6rem, 4vw, 2.2rem); line-height: 1.2; margin: 0 0 .6rem; }
h2 { font-size: 1.35rem; margin: 0 0 .6rem; padding-top: 1.6rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
h4 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: 0 0 .7rem; max-width: 68ch; }
a { color: var(--link); }
small, .note { color: var(--soft); font-size: .84rem; }
section { scroll-margin-top: .5rem; }
main { min-width: 0; }
main > section { margin-bottom: 2rem; }
.block { margin: .6rem 0 1.4rem; }

/* headline figures */
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .7rem;
  margin: 1.2rem 0; }
dl > div { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; display: flex;
  flex-direction: column-reverse; justify-content: flex-end; }
dd { margin: 0; font-size: 1.45rem; font-weight: 650; line-height: 1.25; }
dt { color: var(--soft); font-size: .84rem; line-height: 1.3; }

/* contents: beside the text where there is room */
nav h2 { font-size: .84rem; color: var(--soft); border: 0; padding: 0; margin: 0 0 .3rem; font-weight: 600; }
nav ul { list-style: none; margin: 0; padding: 0; columns: 10.5rem; column-gap: 1rem; font-size: .9rem; }
nav li { break-inside: avoid; padding: .12rem 0; line-height: 1.35; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
nav .depth1 { padding-left: .8rem; }
nav .depth2 { padding-left: 1.6rem; }
@media (min-width: 70rem) {
  .columns { display: grid; grid-template-columns: 13rem minmax(0, 1fr); gap: 2.5rem; }
  nav { position: sticky; top: 1rem; align-self: start; max-height: calc(100vh - 2rem); overflow: auto; }
  nav ul { columns: auto; }
  main > section:first-child > h2 { border: 0; padding: 0; }
}

/* tables */
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
thead th { color: var(--soft); font-weight: 600; font-size: .82rem; vertical-align: bottom; }
.number { text-align: right; white-space: nowrap; }
.scroll { overflow-x: auto; }
table + .note { margin-top: .4rem; }
.facts th { font-weight: 400; color: var(--soft); white-space: nowrap; }
.facts td { overflow-wrap: anywhere; }
.scores { width: 100%; }
.scores td, .scores tbody th { vertical-align: middle; }
.scores tbody th { font-weight: 600; }
.scores tbody small { display: block; font-weight: 400; line-height: 1.3; max-width: 34ch; }
.scores .score small { display: block; font-weight: 400; line-height: 1.3; }
.scores td.number:not(.score) { color: var(--soft); }
.scores .bar { width: 34%; min-width: 8rem; }
.scores tbody th { min-width: 12.5rem; }
.chip { display: inline-block; border-radius: .8rem; padding: .05rem .6rem; white-space: nowrap;
  font-size: .82rem;
  font-style: normal; }
.reached { --tone: var(--reached); } .narrow { --tone: var(--narrow); } .close { --tone: var(--close); }
.short { --tone: var(--short); } .chance { --tone: var(--chance); } .open { --tone: var(--card); }
.chip, .swatch { background: var(--tone); }
.swatch { display: inline-block; width: 1.1rem; height: 1.1rem; border-radius: .2rem; }
@media (max-width: 56rem) {
  .scores thead { display: none; }
  .scores, .scores tbody { display: block; }
  .scores tr { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .9rem; padding: .6rem 0;
    border-bottom: 1px solid var(--rule); }
  .scores th, .scores td { border: 0; padding: 0; }
  .scores tbody th { flex: 1 1 60%; }
  .scores td.score b { font-size: 1.05rem; }
  .scores td.bar { flex: 1 0 100%; order: 1; }
  .scores td.number:not(.score) { order: 2; font-size: .82rem; }
  .scores td:last-child { order: 3; }
  .scores td[data-label]::before { content: attr(data-label) " "; }
  .scores td.empty { display: none; }
}

/* score bars */
.score-bar svg { display: block; overflow: visible; }
.score-bar .rail { stroke: var(--rule); stroke-width: 2; }
.score-bar .band { stroke: var(--band); stroke-width: 9; }
.score-bar .dot { fill: var(--c0); stroke: var(--paper); stroke-width: 1.2; }
.score-bar .chance { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 2 2; fill: none; }
.score-bar .floor { fill: var(--soft); }
.score-bar .ceiling { fill: var(--ink); }
.score-bar .goal { stroke: var(--goal); stroke-width: 2.4; fill: none; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; color: var(--soft); font-size: .84rem;
  max-width: none;
  margin: .5rem 0 0; }
.legend > span { display: inline-flex; align-items: center; gap: .35rem; }

/* matrix */
.matrix { border-collapse: separate; border-spacing: 4px; width: 100%; max-width: 46rem;
  table-layout: fixed; }
.matrix th, .matrix td { border: 0; text-align: center; vertical-align: middle; }
.matrix thead th, .matrix tbody th { color: var(--ink); font-size: .9rem; }
.matrix td { background: var(--tone, transparent); border-radius: .35rem; padding: .55rem .2rem; }
.matrix td b { display: block; font-size: 1.15rem; line-height: 1.3; }
.matrix td small { display: block; color: inherit; opacity: .85; line-height: 1.35; }
.matrix td.empty { color: var(--soft); }
@media (max-width: 34rem) {
  .matrix { border-spacing: 2px; }
  .matrix th, .matrix td { padding: .35rem .1rem; }
  .matrix th, .matrix thead th, .matrix tbody th { font-size: .78rem; }
  .matrix td b { font-size: .95rem; }
  .matrix td small { font-size: .68rem; }
}

/* verdicts */
.verdicts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  gap: 0 2rem; }
.verdicts h3 { margin-top: .4rem; }
.verdicts ul { list-style: none; padding: 0; margin: 0; font-size: .92rem; }
.verdicts li { padding: .35rem 0; border-bottom: 1px solid var(--rule); }
.verdicts .chip { margin-right: .5rem; }

/* charts */
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr));
  gap: 1.4rem 2rem;
  margin: .8rem 0 1.4rem; }
figure { margin: 0; }
.chart { display: flex; flex-direction: column; max-width: 38rem; }
.chart figcaption { margin-bottom: .3rem; }
.chart figcaption strong, .chart figcaption .note { display: block; }
.chart > svg { width: 100%; height: auto; display: block; margin-top: auto; }
.chart svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
.chart svg .axis-name { fill: var(--ink); }
.grid { stroke: var(--rule); stroke-width: 1; }
.axis { stroke: var(--soft); stroke-width: 1; }
.line { stroke: var(--tone); } .line path { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line circle { fill: var(--tone); stroke: none; }
.c0 { --tone: var(--c0); } .c1 { --tone: var(--c1); } .c2 { --tone: var(--c2); } .c3 { --tone: var(--c3); }
.c4 { --tone: var(--c4); } .c5 { --tone: var(--c5); } .c6 { --tone: var(--c6); }

/* galleries */
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17.5rem), 1fr));
  gap: .8rem; }
.card { background: var(--card); border-radius: .4rem; padding: .6rem .8rem .7rem;
  border-left: 4px solid var(--rule);
  min-width: 0; }
.card.right { border-color: var(--c0); } .card.wrong { border-color: var(--c1); }
.caption { margin: 0 0 .4rem; font-size: .88rem; overflow-wrap: anywhere; }
.caption b { margin-right: .5rem; }
.right .caption b { color: var(--good); } .wrong .caption b { color: var(--bad); }
.outcome { display: flex; flex-wrap: wrap; gap: .2rem .7rem; margin-top: .35rem; padding-top: .3rem;
  border-top: 1px dashed var(--rule); }
.outcome .group { flex: 1 1 7rem; }
.group { min-width: 0; }
.group > small { display: block; line-height: 1.5; }
.panels { display: flex; flex-wrap: wrap; gap: .5rem; }
.panels .panel { min-width: 0; }
.panels .panel:has(.sound) { flex: 1 1 7rem; max-width: 11rem; }
.panel figcaption { color: var(--soft); font-size: .8rem; line-height: 1.25; max-width: 12rem; }
.panel img, .strokes svg, .cloud svg { display: block; border-radius: .2rem; max-width: 100%; }
.picture { position: relative; display: inline-block; max-width: 100%; }
.picture img { image-rendering: pixelated; height: auto; }
.over { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.over rect { fill: none; stroke-width: 2; }
.over text { font-size: 11px; font-weight: 700; stroke: #000; stroke-width: 2.5; paint-order: stroke; }
.over .predicted { stroke: #56b4e9; } .over .truth { stroke: #f0e442; stroke-dasharray: 4 3; }
.over text.predicted, .over text.truth { stroke: #000; stroke-dasharray: none; }
.over text.predicted { fill: #8fd0f5; } .over text.truth { fill: #f0e442; }
.sound { display: block; }
.spectrogram { width: 100%; height: 64px; image-rendering: pixelated; }
audio { display: block; width: 100%; height: 34px; margin-top: .25rem; }
blockquote { margin: 0; padding: .4rem .6rem; background: var(--paper); border: 1px solid var(--rule);
  border-radius: .3rem; font: .88rem/1.4 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap;
  overflow-wrap: anywhere; max-width: 20rem; }
.strokes svg, .cloud svg { background: var(--paper); border: 1px solid var(--rule); }
.dot { fill: var(--c0); } .d0 { fill-opacity: .3; } .d1 { fill-opacity: .6; }
.motion { display: block; } .panels .panel:has(.motion) { flex: 1 1 100%; }
.stroke { fill: none; stroke: var(--tone); stroke-width: 3.5; stroke-linecap: round; stroke-linejoin: round; }
.s0 { --tone: var(--c1); } .s1 { --tone: var(--c0); }
.start { fill: var(--tone); }
.lifted { fill: none; stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; }
.strokes text { font-size: 8px; font-weight: 700; fill: var(--paper); }
.strokes text.nothing { font-weight: 400; font-size: 10px; fill: var(--soft); }

@media print {
  body { max-width: none; padding: 0; } nav, audio { display: none; } .card, .chart, tr {
    break-inside: avoid; }
}
"""
