"""Mypy plugin: the name of a class that ``@neuron`` decorates is a :class:`Neuron`.

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

DECORATOR = "neuromorph.language.neuron.neuron"
NEURON = "neuromorph.language.neuron.Neuron"
_MARK = "neuromorph"


def _decorated(context: ClassDefContext) -> bool:
    """Let the class object fall back to Neuron, and its constructor take any values by name."""
    neuron = context.api.named_type_or_none(NEURON)
    if neuron is None:
        return False
    info = context.cls.info
    values = Argument(Var("values"), AnyType(TypeOfAny.explicit), None, ARG_STAR2)
    add_method(context, "__init__", [values], NoneType())
    info.metaclass_type = neuron
    info.metadata[_MARK] = {}
    return True


def _constructed(context: FunctionSigContext) -> FunctionLike:
    """The constructor gives a Neuron."""
    fallback = context.default_signature.fallback
    return context.default_signature.copy_modified(ret_type=Instance(fallback.type, []))


class NeuronPlugin(Plugin):
    """See the module's docstring."""

    def get_class_decorator_hook_2(self, fullname: str) -> Callable[[ClassDefContext], bool] | None:
        return _decorated if fullname == DECORATOR else None

    def get_function_signature_hook(self, fullname: str) -> Callable[[FunctionSigContext], FunctionLike] | None:
        symbol = self.lookup_fully_qualified(fullname)
        decorated = symbol is not None and isinstance(symbol.node, TypeInfo) and _MARK in symbol.node.metadata
        return _constructed if decorated else None


def plugin(version: str) -> type[Plugin]:
    """Mypy's entry point."""
    return NeuronPlugin
