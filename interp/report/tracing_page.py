"""A page of its own for one traced text: pick a position, see its sources layer by layer. Needs no network."""

from __future__ import annotations

import html
from typing import Any

from interp.report.views import script_json
from interp.residual.tracing import TextTrace

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: light-dark(#1f2328, #e6edf3); --line: light-dark(#d0d7de, #3d444d); }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 1.2rem auto; max-width: 76rem;
  padding: 0 1rem; }}
h1 {{ font-size: 1.15rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem .4rem; text-align: center; font-size: .85rem; font-weight: normal; white-space: nowrap; }}
tbody th {{ text-align: right; }}
td {{ border: 1px solid var(--line); min-width: 2.6rem; }}
td.own {{ outline: 2px solid currentColor; outline-offset: -2px; }}
button, select {{ font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: .3rem;
  padding: .15rem .4rem; cursor: pointer; }}
button[aria-pressed=true] {{ background: #2f7fc1; color: #fff; }}
p.note {{ font-size: .85rem; }}
</style></head><body>
<h1>{title}</h1>
<p>{definition} ({source}). Pick a position; each row shows where it comes from after a block, each column is a
source token.</p>
<p><label>Contributions <select id="form"></select></label></p>
<div class="scroll"><table><caption id="says" aria-live="polite"></caption><thead><tr id="tokens"></tr></thead>
<tbody id="rows"></tbody></table></div>
<p class="note">Rows sum to one. The outlined column is the position's own token{caveat}.</p>
<script type="application/json" id="data">{data}</script>
<script>
const data = JSON.parse(document.getElementById('data').textContent);
const form = document.getElementById('form'), head = document.getElementById('tokens');
const body = document.getElementById('rows');
let at = data.start;
function make(tag, text) {{ const e = document.createElement(tag); e.textContent = text; return e; }}
for (const name of Object.keys(data.shares)) form.append(make('option', name));
head.append(make('th', ''));
data.tokens.forEach((token, i) => {{
  const b = make('button', token), th = document.createElement('th');
  b.type = 'button';
  b.addEventListener('click', () => {{ at = i; draw(); }});
  th.append(b);
  head.append(th);
}});
form.addEventListener('change', draw);
function draw() {{
  head.querySelectorAll('button').forEach((b, i) => b.setAttribute('aria-pressed', String(i === at)));
  body.replaceChildren();
  data.shares[form.value].forEach((layer, l) => {{
    const row = document.createElement('tr');
    row.append(make('th', 'block ' + (l + 1)));
    layer[at].forEach((share, j) => {{
      const cell = make('td', share.toFixed(2));
      cell.style.background = 'rgba(47, 127, 193, ' + Math.min(1, share).toFixed(3) + ')';
      cell.title = data.tokens[j] + ' to ' + data.tokens[at] + ': ' + share.toFixed(3);
      if (j === at) cell.className = 'own';
      row.append(cell);
    }});
    body.append(row);
  }});
  document.getElementById('says').textContent = 'Sources of ' + data.tokens[at] + ' (position ' + (at + 1) + ')';
}}
draw();
</script></body></html>
"""


def tracing_page(subject: str, method: Any, traced: TextTrace) -> str:
    """The page as HTML. Whatever the text holds is shown as text: tokens never become markup or script.

    Parameters
    ----------
    method
        A member of `residual.METHODS`.
    """
    forms = {"within each block": traced.trace.blocks, "accumulated from the input": traced.trace.cumulated}
    forms |= {f"accumulated ({name})": layers for name, layers in traced.trace.further.items()}
    inner = (~traced.special).nonzero()[:, 0]
    data = {
        "tokens": traced.tokens,
        "start": int(inner[len(inner) // 2]),
        "shares": {
            name: [[[round(float(x), 3) for x in row] for row in layer] for layer in layers.share[:, 0].cpu()]
            for name, layers in forms.items()
        },
    }
    return PAGE.format(
        title=html.escape(f"{subject}: contributions by {method.name}"),
        definition=html.escape(method.definition[0].upper() + method.definition[1:]),
        source=html.escape(method.source),
        caveat=html.escape(f"; it is no own share here: {method.caveat}" if method.caveat else ""),
        data=script_json(data),
    )
