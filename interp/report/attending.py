"""Files that `interp attend` writes: a figure of the maps, and the BertViz view."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interp.attention.reading import Reading, mean_map
from interp.report import style, svg, views


def figure(found: Reading, layer: int | None, head: int | None) -> str:
    """The maps as one SVG: of a head, of a layer (mean over heads), or of every layer; before and after."""
    import matplotlib.pyplot as plt

    from interp.report.figures import attention_maps

    style.apply()
    maps: dict[str, Float[np.ndarray, "query key"]] = {}
    tokens = {}
    which = "mean over heads" if head is None else f"head {head}"
    for number in range(1, len(found.after) + 1) if layer is None else [layer]:
        stages = [("intact", found.before, found.before_tokens)]
        if found.perturbation != "intact":
            stages.append((found.perturbation, found.after, found.tokens))
        for name, every, spelled in stages:
            title = f"layer {number}, {which}: {name}"
            maps[title], tokens[title] = mean_map(every[number - 1], head).numpy(), spelled
    drawn = attention_maps(maps, tokens)
    alt = f"Attention maps of {' '.join(found.tokens)}: {', '.join(maps)}"
    content = svg.standalone(drawn, alt)
    plt.close(drawn)
    return content


def view(found: Reading, layer: int | None) -> str:
    """The BertViz view of one layer, or of the first, the middle and the last one, as one file."""
    count = len(found.after)
    layers = sorted({1, (count + 1) // 2, count}) if layer is None else [layer]
    title = f"{found.subject}: {found.perturbation}"
    return views.attention_page([m[0] for m in found.after], found.tokens, title, layers=layers, standalone=True)
