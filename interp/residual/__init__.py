"""The residual stream: what each token contributes to each position, block by block and cumulated over blocks."""

from interp.residual import weights, norms, globenc, alti, zeroing, gradient, propagation  # noqa: F401, I001 (their order is the registry's)
from interp.residual.contributions import METHODS
from interp.residual.forward import PROBES
from interp.residual.identity import first_below, identity_table
from interp.residual.mixing import mixing_table, pooled
from interp.residual.tracing import TextTrace, trace_batch, trace_text

__all__ = [
    "METHODS",
    "PROBES",
    "TextTrace",
    "first_below",
    "identity_table",
    "mixing_table",
    "pooled",
    "trace_batch",
    "trace_text",
]
