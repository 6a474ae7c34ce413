"""Derivatives taken apart: sums of terms with constant coefficients, and their noise."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from neuromorph.errors import LanguageError
from neuromorph.language.expr import Expr, nodes
from neuromorph.language.infix import infix
from neuromorph.lowering.statics import Static, Statics, literal


@dataclass
class Affine:
    """``sum(coefficient * term) + constant``; terms are leaves, or whatever is not a sum or a constant multiple.

    Attributes
    ----------
    terms : dict of key to (Expr, Static)
        Leaves of one name are one term; other terms are told apart by identity.
    constant : Static or None
        None: no such part in the formula.
    """

    terms: dict[Hashable, tuple[Expr, Static]] = field(default_factory=dict)
    constant: Static | None = None


def affine(root: Expr, statics: Statics) -> Affine:
    """`root` as a sum of terms with coefficients that are known before the run."""
    result = Affine()
    _collect(root, literal(1.0), statics, result)
    return result


def _collect(node: Expr, factor: Static, statics: Statics, result: Affine) -> None:
    static = statics(node)
    if static is not None:
        value = factor * static
        result.constant = value if result.constant is None else result.constant + value
        return
    match node.op:
        case "neg":
            return _collect(node.args[0], -factor, statics, result)
        case "add" | "sub":
            left, right = node.args
            _collect(left, factor, statics, result)
            return _collect(right, factor if node.op == "add" else -factor, statics, result)
        case "mul" | "div":
            left, right = node.args
            a, b = statics(left), statics(right)
            if b is not None:
                return _collect(left, factor * b if node.op == "mul" else factor / b, statics, result)
            if a is not None and node.op == "mul":
                return _collect(right, factor * a, statics, result)
    key: Hashable = (node.op, node.payload) if not node.args else id(node)
    if key in result.terms:
        factor = result.terms[key][1] + factor
    result.terms[key] = node, factor


def split_noise(node: Expr) -> tuple[Expr | None, Expr | None]:
    """The parts of a sum without and with white noise (None: nothing of the kind).

    Raises
    ------
    LanguageError
        White noise inside anything but sums and products with noise-free factors.
    """
    if not any(n.op == "white_noise" for n in nodes(node)):
        return node, None
    match node.op:
        case "white_noise":
            return None, node
        case "neg":
            calm, noisy = split_noise(node.args[0])
            return _like(node, calm), _like(node, noisy)
        case "add" | "sub":
            (calm, noisy), (calm2, noisy2) = (split_noise(a) for a in node.args)
            return _join(node, calm, calm2), _join(node, noisy, noisy2)
        case "mul" | "div":
            left, right = node.args
            calm, noisy = split_noise(left)
            if split_noise(right)[1] is None:
                return _like(node, calm, right), _like(node, noisy, right)
            if noisy is None and node.op == "mul":
                calm, noisy = split_noise(right)
                return _like(node, left, calm), _like(node, left, noisy)
    raise LanguageError(
        f"white noise must be added, times a noise-free factor; it stands inside {infix(node, limit=60)}"
    )


def _like(node: Expr, *args: Expr | None) -> Expr | None:
    """The same operation on other operands; None if one of them is not there."""
    found = tuple(a for a in args if a is not None)
    return Expr(node.op, found, node.dim, node.type) if len(found) == len(args) else None


def _join(node: Expr, left: Expr | None, right: Expr | None) -> Expr | None:
    if left is not None and right is not None:
        return Expr(node.op, (left, right), node.dim, node.type)
    if right is None:
        return left
    return right if node.op == "add" else Expr("neg", (right,), right.dim, right.type)
