"""The page around a picture: it loads nothing, and is legible by day and by night."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --back: #f4f5f2; --paper: #fff; --ink: #1c2733;
  --soft: #5d6b78; --line: #e2e6e9; --way: #7a8896; --fence: #23845a; }
@media (prefers-color-scheme: dark) { :root { --back: #12171c; --paper: #1a2128; --ink: #e4e9ed;
  --soft: #97a4b0; --line: #2c363f; --way: #6d7c8a; --fence: #4cc38a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 32px 24px; background: var(--back);
  color: var(--ink); font: 15px/1.5 system-ui, "Liberation Sans", sans-serif; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 16px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 32px 0 8px; }
dl { display: flex; flex-wrap: wrap; gap: 12px 32px; margin: 0 0 20px; }
dt, th, footer, .legend { color: var(--soft); font-size: 13px; }
dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; }
td, th { padding: 6px 16px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
footer { margin-top: 32px; }
svg { display: block; width: 100%; height: auto; background: var(--paper);
  border: 1px solid var(--line); border-radius: 8px; }
svg text { font: 12px system-ui, "Liberation Sans", sans-serif; fill: var(--soft);
  paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
svg .mark { font-weight: 600; fill: var(--ink); font-size: 13px; }
svg .site { fill: var(--fence); font-weight: 600; }
svg .degree { font-size: 11px; }
svg .scale { text-anchor: middle; }
.grid, .way, .gap, .bar { fill: none; vector-effect: non-scaling-stroke; }
.grid { stroke: var(--line); }
.bar { stroke: var(--soft); stroke-width: 1.5; }
.way, .gap { stroke: var(--way); stroke-width: 1.5; stroke-linejoin: round; }
.gap { stroke-dasharray: 6 5; }
.fence { fill: var(--fence); fill-opacity: .16; stroke: var(--fence); stroke-width: 1.5; }
.start, .end { stroke-width: 3; }
.start { fill: var(--paper); stroke: #2b6fd6; }
.end { fill: #e8632a; stroke: var(--paper); }
.s0 { fill: #2b6fd6; } .s1 { fill: #4d64d0; } .s2 { fill: #7256c4; } .s3 { fill: #9448b0; }
.s4 { fill: #b43e93; } .s5 { fill: #cc3d71; } .s6 { fill: #dd4a4d; } .s7 { fill: #e8632a; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 8px 0 0; }
.legend i { display: inline-block; vertical-align: middle; width: 48px; margin: 0 8px; }
.legend .time { height: 6px; border-radius: 3px; background: linear-gradient(to right, #2b6fd6,
  #9448b0 43%, #cc3d71 71%, #e8632a); }
.legend .dashed { border-top: 2px dashed var(--way); }
.legend .area { height: 12px; width: 16px; background: color-mix(in srgb, var(--fence) 16%,
  transparent); border: 1.5px solid var(--fence); }
"""

HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<dl>{facts}</dl>
"""
FOOT = """<footer>Times are UTC. Drawn by Retour, {now}.</footer>
</html>
"""
PAGE = (
    HEAD
    + """{picture}
<p class="legend"><span>first<i class="time"></i>last</span>
<span><i class="dashed"></i>nothing known for more than a day</span>
<span><i class="area"></i>site</span></p>
<h2>Visits</h2>
{visits}
"""
    + FOOT
)
