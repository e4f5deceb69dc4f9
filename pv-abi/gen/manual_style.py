# SPDX-License-Identifier: BSD-2-Clause
"""How the manual looks: one measure of text, contents beside it, light and dark, and on paper."""

CSS = """
:root { --ink: #1d1f21; --soft: #5c6166; --line: #dcdfe3; --paper: #fdfdfb; --tint: #f3f4f1; --link: #0b4f8a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe1e4; --soft: #9aa1a8; --line: #363b41; --paper: #16181a; --tint: #1f2225; --link: #86bdf0; }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.55 Charter, "Bitstream Charter",
  "Source Serif 4", Georgia, serif; }
main { max-width: 52rem; margin: 0 auto; padding: 2rem 1.5rem 6rem; }
nav { font: 14px/1.45 system-ui, sans-serif; padding: 1.5rem; border-bottom: 1px solid var(--line); }
nav p { font-weight: 600; margin: 0 0 .5rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav ul ul { padding-left: 1rem; columns: 12rem; }
@media (min-width: 76rem) {
  nav { position: fixed; inset: 0 auto 0 0; width: 18rem; overflow-y: auto; border: 0;
    border-right: 1px solid var(--line); }
  nav ul ul { columns: auto; }
  main { margin-left: 20rem; }
}
h1, h2, h3, h4 { font-family: system-ui, sans-serif; line-height: 1.25; text-wrap: balance; }
h1 { font-size: 2rem; margin: 0 0 .5rem; }
h2 { font-size: 1.5rem; margin: 3.5rem 0 1rem; padding-top: 1rem; border-top: 3px solid var(--ink); }
h3 { font-size: 1.15rem; margin: 2.5rem 0 .6rem; }
h4 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
.number { color: var(--soft); font-variant-numeric: tabular-nums; margin-right: .2rem; }
.mark { color: var(--line); text-decoration: none; font-weight: 400; }
h1:hover .mark, h2:hover .mark, h3:hover .mark { color: var(--soft); }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: .15em; }
nav a, td a, .tests a { text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre, var { font: .86em/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
pre { background: var(--tint); padding: .6rem .9rem; overflow-x: auto; border-radius: 4px; }
var { color: var(--soft); }
dt { font-family: system-ui, sans-serif; font-weight: 600; margin-top: .6rem; }
dd { margin: 0 0 0 1.5rem; }
.lead, .note, .tests, .ops, .why { color: var(--soft); }
.note, .tests, .ops { font: 14px/1.45 system-ui, sans-serif; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9em; line-height: 1.4; }
th { text-align: left; font: 600 13px/1.4 system-ui, sans-serif; color: var(--soft); }
th, td { padding: .32rem .8rem .32rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
td:first-child { font-variant-numeric: tabular-nums; }
.errors { padding-left: 1.6rem; margin: .2rem 0; }
article { border-left: 3px solid var(--line); padding: .1rem 0 .1rem 1rem; margin: 1.1rem 0; }
article p { margin: .25rem 0; }
.head { font: 13px/1.4 system-ui, sans-serif; color: var(--soft); }
.id { font-weight: 600; }
.why { font-style: italic; }
:target { background: var(--tint); }
article:target { border-left-color: var(--link); }
@media print {
  nav, .mark { display: none; }
  main { max-width: none; margin: 0; padding: 0; }
  article, tr { break-inside: avoid; }
  a { color: inherit; text-decoration: none; }
}
"""
