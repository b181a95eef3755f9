/** The style sheet of the page. Colours after Okabe and Ito, told apart with any colour vision; marks differ as well. */
export const STYLE = `
:root { color-scheme: light dark; --paper: #fdfdfb; --ink: #1d1f21; --soft: #62676d; --line: #dddcd6; --wash: #f4f3ee; --best: #0b5c43;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b5488f; --c4: #b98300; --c5: #3a9bd6; --c6: #7b5cc4; --c7: #555b61; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e6e4de; --soft: #9aa0a6; --line: #33373c; --wash: #1e2125; --best: #6fd3ae;
    --c0: #4aa3df; --c1: #f08a4b; --c2: #33c496; --c3: #e08bc0; --c4: #e0b040; --c5: #8fd0f5; --c6: #ab94ec; --c7: #b9bec4; } }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.55;
  font: 1.0625rem/1.55 Charter, "Bitstream Charter", "Sitka Text", Cambria, Georgia, serif; }
main { max-width: 68rem; margin: 0 auto; padding: 3.5rem 1.25rem 5rem; }
h1, h2 { font-weight: 600; line-height: 1.2; text-wrap: balance; }
h1 { font-size: clamp(1.8rem, 5vw, 2.6rem); margin: 0 0 .6rem; letter-spacing: -.012em; }
h2 { font-size: 1.35rem; margin: 0 0 .8rem; }
section { margin-top: 3.2rem; }
p, ul { max-width: 44rem; margin: 0 0 1rem; }
ul { padding-left: 1.1rem; } li { margin: .4rem 0; }
.kicker, table, svg, figcaption, dl.facts, summary, .note { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
.kicker { margin: 0 0 .5rem; color: var(--soft); font-size: .875rem; letter-spacing: .02em; }
.lead { font-size: 1.2rem; color: var(--soft); margin-bottom: 2rem; }
.note, figcaption { font-size: .84rem; line-height: 1.5; color: var(--soft); }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", monospace; background: var(--wash); padding: .1em .35em; border-radius: 3px; overflow-wrap: anywhere; }
dl { margin: 0; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.4rem; font-size: .9rem; max-width: 52rem;
  border: solid var(--line); border-width: 1px 0; padding: .9rem 0; }
dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
dl.guide { max-width: 44rem; } dl.guide dt { font-weight: 600; } dl.guide dd { margin: 0 0 .9rem; }
.scroll { overflow-x: auto; margin: 0 0 .9rem; } .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--c0); outline-offset: 3px; }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.35; }
th { font-weight: 500; text-align: left; }
.numbers { min-width: 100%; font-variant-numeric: tabular-nums; white-space: nowrap; }
.numbers th, .numbers td { padding: .45rem .7rem; border-bottom: 1px solid var(--line); }
.numbers thead th { color: var(--soft); font-size: .82rem; border-bottom: 1.5px solid var(--soft); vertical-align: bottom; }
.numbers tbody tr:hover { background: var(--wash); }
.numbers th:first-child, .numbers td:first-child { padding-left: 0; position: sticky; left: 0; background: var(--paper); }
.numbers .right { text-align: right; } .numbers .left { text-align: left; }
td small, figcaption small { color: var(--soft); font-size: .82em; } .none { color: var(--soft); text-align: center; }
td strong, .best td { color: var(--best); font-weight: 650; }
[title] { cursor: help; }
.long td, .long th { padding-block: .25rem; border: 0; } .long .first > * { border-top: 1px solid var(--line); padding-top: .45rem; }
.long tr:not(.first) th { color: var(--soft); } .long thead th { border-top: 0; }
details summary { cursor: pointer; margin-bottom: .8rem; color: var(--c0); }
.dot { display: inline-block; width: .62em; height: .62em; margin-right: .5em; border-radius: 50%; background: var(--c); }
.sheets td, .sheets th { padding: .25rem .5rem .55rem 0; vertical-align: top; }
.sheets thead th { color: var(--soft); font-size: .82rem; } .sheets tbody th { padding-right: 1rem; padding-top: .5rem; overflow-wrap: anywhere; min-width: 7rem; max-width: 10rem; }
.sheets td.none { vertical-align: middle; }
.sheets figure { margin: 0; } .sheets img { display: block; width: 10.3rem; height: auto; image-rendering: pixelated; border-radius: 2px; background: #181818; }
.sheets figcaption { font-size: .76rem; margin-top: .2rem; font-variant-numeric: tabular-nums; }
figure { margin: 0; min-width: 0; }
figure > svg { margin-bottom: .5rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 2rem 2.5rem; }
.small { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.6rem, 1fr)); gap: 1.4rem 1.1rem; }
.small figcaption { color: var(--ink); font-size: .78rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; } .bars { max-width: 31rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; font-size: 12.5px; }
svg text { fill: var(--soft); } svg .label { fill: var(--ink); }
svg polyline { fill: none; stroke: var(--c); stroke-width: 1.9; stroke-linejoin: round; }
svg .thin { stroke-width: 1.5; } svg .faint { stroke-width: 1; opacity: .28; } .again polyline { stroke-dasharray: 5 3; }
svg .mark { fill: var(--c); stroke: var(--paper); stroke-width: 1; } svg .hollow { fill: var(--paper); stroke: var(--c); stroke-width: 1.6; }
svg .bar { stroke: var(--c); stroke-width: 1.5; } svg rect { fill: var(--c); }
svg .rule { stroke: var(--line); stroke-width: 1; } svg .floor { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 2 4; }
@media (max-width: 40rem) {
  body { font-size: 1rem; } main { padding-top: 2rem; } section { margin-top: 2.4rem; }
  dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .5rem; }
  .pair svg:not(.bars) { font-size: 15px; }
  .sheets img { width: 8.5rem; } .sheets tbody th { min-width: 6.1rem; max-width: 6.1rem; font-size: .74rem; }
  .numbers { font-size: .84rem; } .numbers th, .numbers td { padding-inline: .45rem; }
}
@media print { .scroll { overflow: visible; } details > * { display: block; } }
`;
