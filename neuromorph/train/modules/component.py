"""Populations that reach each other, over a whole sequence: one operation of autograd.

Products with what comes from outside are done at once for all steps, before the loop; gradients of weights are one
product each, after the loop back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuromorph.train.modules.backward import backward
from neuromorph.train.modules.forward import forward
from neuromorph.train.modules.loop import Given, Loop, Result, Span


def run(loop: Loop, given: Given) -> Result:
    """Run a component over a sequence; differentiable in every float tensor that is given."""
    tensors = given.flat()
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        shape: list[Result] = []
        outputs = _Run.apply(loop, given, shape, *tensors)  # type: ignore[no-untyped-call]
        return shape[0].like(outputs)
    return forward(loop, given, None)


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loop: Loop, given: Given, shape: list[Result], *tensors: Tensor) -> tuple[Tensor, ...]:
        spans: list[list[Span]] = [[] for _ in loop.members]
        result = forward(loop, given.like(tensors), spans)
        shape.append(result)
        outputs = [t.detach() for t in result.flat()]  # not what is kept, which would be a cycle
        ctx.loop, ctx.given, ctx.spans = loop, given.like([None] * len(tensors)), spans
        ctx.shape = result.like(range(len(outputs)))
        ctx.save_for_backward(*tensors, *result.events)
        ctx.count = len(tensors)
        ctx.mark_non_differentiable(*(t for t in outputs if not t.is_floating_point()))
        ctx.set_materialize_grads(False)
        return tuple(outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        saved = ctx.saved_tensors
        given, incoming = ctx.given.like(saved[: ctx.count]), ctx.shape.like(gradients)
        wanted = ctx.given.like(ctx.needs_input_grad[3:])
        found = backward(ctx.loop, given, list(saved[ctx.count :]), ctx.spans, incoming, wanted)
        return (None, None, None, *found.flat())
