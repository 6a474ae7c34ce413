"""Mypy plugin: the name of a class under ``@neuron`` is a :class:`Neuron`, under ``@synapse`` a :class:`Synapse`.

Mypy ignores what a class decorator returns. With ``plugins = ["neuromorph.mypy_plugin"]`` in its configuration,
``LIF(tau_m=10 * ms)``, ``net.population(LIF, 100)`` and ``LIF.with_method("euler")`` are understood.
Pyright needs no plugin.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import ARG_STAR2, Argument, TypeInfo, Var
from mypy.plugin import ClassDefContext, FunctionSigContext, Plugin
from mypy.plugins.common import add_method
from mypy.types import AnyType, FunctionLike, Instance, NoneType, TypeOfAny

DECORATED = {
    "neuromorph.language.neuron.neuron": "neuromorph.language.neuron.Neuron",
    "neuromorph.language.synapse.synapse": "neuromorph.language.synapse.Synapse",
}
"""What each decorator makes of a class."""
_MARK = "neuromorph"


def _decorated(context: ClassDefContext, made: str) -> bool:
    """Let the class object fall back to what the decorator makes, and its constructor take any values by name."""
    model = context.api.named_type_or_none(made)
    if model is None:
        return False
    info = context.cls.info
    values = Argument(Var("values"), AnyType(TypeOfAny.explicit), None, ARG_STAR2)
    add_method(context, "__init__", [values], NoneType())
    info.metaclass_type = model
    info.metadata[_MARK] = {}
    return True


def _constructed(context: FunctionSigContext) -> FunctionLike:
    """The constructor gives a copy of the model."""
    fallback = context.default_signature.fallback
    return context.default_signature.copy_modified(ret_type=Instance(fallback.type, []))


class NeuronPlugin(Plugin):
    """See the module's docstring."""

    def get_class_decorator_hook_2(self, fullname: str) -> Callable[[ClassDefContext], bool] | None:
        made = DECORATED.get(fullname)
        return None if made is None else lambda context: _decorated(context, made)

    def get_function_signature_hook(self, fullname: str) -> Callable[[FunctionSigContext], FunctionLike] | None:
        symbol = self.lookup_fully_qualified(fullname)
        decorated = symbol is not None and isinstance(symbol.node, TypeInfo) and _MARK in symbol.node.metadata
        return _constructed if decorated else None


def plugin(version: str) -> type[Plugin]:
    """Mypy's entry point."""
    return NeuronPlugin
