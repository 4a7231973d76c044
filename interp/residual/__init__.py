"""The residual stream: what each token contributes to each position, block by block and cumulated over blocks."""

from interp.residual.contributions import METHODS
from interp.residual.mixing import mixing_table, pooled
from interp.residual.tracing import TextTrace, trace_batch, trace_text

__all__ = ["METHODS", "TextTrace", "mixing_table", "pooled", "trace_batch", "trace_text"]
