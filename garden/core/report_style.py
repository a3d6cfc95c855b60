"""The page and the style sheet of a report: no script, no font or file from elsewhere."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header>
{front}
</header>
<main>
{body}
</main>
</body>
</html>
"""

# Figures stay on a white plate in the dark: their colours were chosen on white.
STYLE = """
:root {
  --page: #fbfaf7; --ink: #22262b; --soft: #646b73; --line: #dedbd3; --card: #ffffff;
  --accent: #2f6b4f; --stripe: #f4f2ec;
  color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #17191c; --ink: #e4e3df; --soft: #9ba1a8; --line: #363a3f; --card: #1f2226;
    --accent: #84c9a4; --stripe: #24282c;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 3rem 1.5rem 5rem; max-width: 62rem;
  background: var(--page); color: var(--ink);
  font: 1.03rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1, h2 { line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 2.1rem; letter-spacing: -.015em; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 0 0 .9rem; }
p, ul { max-width: 44rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
ul { padding-left: 1.3rem; }
a { color: var(--accent); text-underline-offset: .15em; }
header { border-top: .3rem solid var(--accent); padding-top: 1.8rem; }
.summary p { font-size: 1.14rem; }
.facts {
  display: flex; flex-wrap: wrap; gap: .15rem 1.4rem; margin: 0 0 1.8rem;
  padding: .6rem 0; border: solid var(--line); border-width: 1px 0; font-size: .88rem;
}
.facts div { overflow-wrap: anywhere; }
.facts dt, .facts dd { display: inline; margin: 0; }
.facts dt { color: var(--soft); }
nav { font-size: .95rem; }
.nav-title { margin: 0 0 .3rem; color: var(--soft); font-size: .88rem; }
nav ol { margin: 0; padding-left: 1.4rem; columns: 18rem auto; max-width: 44rem; }
nav li { break-inside: avoid; }
section { margin-top: 3.2rem; scroll-margin-top: 1rem; }
figure { margin: 0; }
figcaption {
  color: var(--soft); font-size: .92rem; line-height: 1.5; max-width: 44rem;
  overflow-wrap: anywhere;
}
figcaption b { color: var(--ink); font-weight: 600; }
.table figcaption { margin-bottom: .6rem; }
.image figcaption { margin-top: .6rem; }
.scroll, .plate { overflow-x: auto; }
.plate {
  background: #fff; border: 1px solid var(--line); border-radius: .4rem; padding: .8rem;
}
.plate img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
table { border-collapse: collapse; font-size: .95rem; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .9rem; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid var(--line); font-weight: 600; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); }
tbody tr:nth-child(even) { background: var(--stripe); }
.number { text-align: right; white-space: nowrap; }
th.number { white-space: normal; }
code, pre { font: .9em/1.5 ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; }
pre {
  background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
  margin: 0 0 1rem; padding: .8rem 1rem;
}
@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.6rem; }
  section { margin-top: 2.4rem; }
  th, td { padding: .35rem .6rem; }
  .plate { padding: .4rem; }
  .plate.wide img { max-width: none; width: 40rem; }
}
@media print {
  :root {
    --page: #fff; --ink: #000; --soft: #444; --line: #bbb; --card: #fff;
    --accent: #000; --stripe: #fff; color-scheme: light;
  }
  @page { margin: 18mm 16mm; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  section { margin-top: 1.6rem; }
  h2, figcaption { break-after: avoid; }
  .image figcaption { break-before: avoid; break-after: auto; }
  .plate, figure.table, figcaption, tr { break-inside: avoid; }
  .plate { border: 0; padding: 0; }
  .plate img, .plate.wide img { max-width: 100%; width: auto; max-height: 210mm; }
  .scroll { overflow: visible; }
  thead { display: table-header-group; }
  pre { white-space: pre-wrap; }
  a { text-decoration: none; }
}
"""
