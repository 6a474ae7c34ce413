"""The shape of generated kernels, read from their machine code: what makes them fast is asserted, never timed."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache

import pytest
from assembly import Loop, called, innermost_loops, instructions, require_vectors

from neuromorph import models
from neuromorph.engine.codegen import print_step
from neuromorph.engine.layout import layout_of
from neuromorph.language import Event, Neuron, Param, Port, State, exp, log, neuron, normal, poisson, uniform
from neuromorph.lowering import lower_neuron
from neuromorph.lowering.program import Float, StepProgram
from neuromorph.native import compile_kernel

SIZE = 1000
DTYPES: tuple[Float, ...] = ("float32", "float64")
SCALAR = 16
"""Instructions that count and jump in the longest loop; those that work on neurons are on vectors."""


def library() -> dict[str, Neuron]:
    """Every neuron of ``neuromorph.models``."""
    modules = [importlib.import_module(f"neuromorph.models.{m.name}") for m in pkgutil.iter_modules(models.__path__)]
    return {v.name: v for module in modules for v in vars(module).values() if isinstance(v, Neuron)}


@neuron
class Noisy:
    """Draws all there is to draw, and has a function of every kind."""

    a = Port()
    rate, own = Param(2.0), Param(0.5)
    x, y, z, n = State(0.1), State(0.2), State(0.3), State(0, dtype=int)

    x.next = 0.9 * x + normal() + a / own
    y.next = uniform() * exp(-y * y)
    z.next = log(1.0 + z * z) ** 0.7
    n.next = poisson(rate) + poisson(own * 3.0)
    spike = Event(when=x > 2.0, value=y)


LIBRARY = library() | {"Noisy": Noisy}
DOUBLE = ("AdEx", "EGRUPaper", "Izhikevich", "LIF", "Noisy", "PoissonSource", "TraubMilesCOBA")
"""One of each kind of arithmetic; in float32 every neuron is looked at."""
CASES = [(name, dtype) for dtype in DTYPES for name in (sorted(LIBRARY) if dtype == "float32" else DOUBLE)]


@cache
def kernel_of(model: Neuron, dtype: Float) -> tuple[StepProgram, str]:
    """Step program of a neuron and the instructions of its kernel."""
    program = lower_neuron(model, 1e-4, dtype, SIZE).program
    return program, compile_kernel(print_step(program, layout_of(program, SIZE)), model.name).assembly()


def function(assembly: str, name: str) -> str:
    """The part of the text that defines a function of the kernel."""
    begin = re.search(rf"^[^\s#.]*{name}[^\s]*:", assembly, re.MULTILINE)
    assert begin, f"there is no {name}"
    end = assembly.find("-- End function", begin.start())
    return assembly[begin.start() : end if end > 0 else len(assembly)]


def multiplications(loop: Loop) -> int:
    """Of integers."""
    return sum(i.name.startswith("vpmul") for i in loop)


def population_loops(assembly: str, bits: int) -> list[Loop]:
    """Innermost loops of the kernel that write whole vectors to memory, but for those that LLVM took in from Philox."""
    loops = innermost_loops(function(assembly, "kernel6kernel"))
    kept = [loop for loop in loops if multiplications(loop) < 20 or any(i.is_vector_float for i in loop)]
    return [loop for loop in kept if any(i.is_store and i.bits == bits for i in loop)]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_population_loop_works_on_the_widest_vectors_alone(name: str, dtype: Float) -> None:
    bits = require_vectors()
    program, assembly = kernel_of(LIBRARY[name], dtype)
    loops = population_loops(assembly, bits)
    assert loops, "no loop writes vectors"
    for loop in loops:
        assert not [i for i in loop if i.is_call or i.is_scalar_float]
        scalar = [i.name for i in loop if i.bits == 0]
        wraps = [name for name in scalar if name.startswith(("cmov", "sar", "imul", "mul", "idiv", "div"))]
        assert not wraps, "an index is signed, or computed anew for each neuron"
        assert len(scalar) <= SCALAR, scalar
    assert max(len(loop) for loop in loops) <= 72 + 1.2 * len(program.ops)  # short ones may be unrolled


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_kernel_calls_no_library_and_cannot_fail(name: str, dtype: Float) -> None:
    require_vectors()
    _, assembly = kernel_of(LIBRARY[name], dtype)
    others = {callee for callee in called(assembly) if "random_kernels" not in callee and "kernel6kernel" not in callee}
    assert others <= {"memset", "memcpy"}
    assert "ZeroDivision" not in assembly
    assert "picklebuf" not in assembly, "it can raise"


def test_events_are_gathered_from_64_neurons_at_a_time() -> None:
    require_vectors()
    _, assembly = kernel_of(LIBRARY["LIF"], "float32")
    code = instructions(function(assembly, "kernel6kernel"))
    assert [i for i in code if i.name in ("vptestmb", "vptestnmb", "vpmovmskb", "vpmovb2m")]
    assert [i for i in code if i.name in ("tzcntq", "bsfq", "rep")]


@pytest.mark.parametrize("dtype", DTYPES)
def test_population_loop_multiplies_no_integers_for_random_numbers(dtype: Float) -> None:
    bits = require_vectors()
    _, assembly = kernel_of(Noisy, dtype)
    for loop in population_loops(assembly, bits):
        assert multiplications(loop) == 0


def test_words_take_two_instructions() -> None:
    bits = require_vectors()
    _, assembly = kernel_of(Noisy, "float32")
    loops = innermost_loops(function(assembly, "random_kernels12random_words"))
    loop = max(loops, key=len)
    words = sum(i.bits // 32 for i in loop if i.is_store)
    assert words >= bits // 32
    assert max(i.bits for i in loop) == bits
    assert not [i.name for i in loop if i.name in ("imulq", "mulq", "mulxq", "vpmullq")]
    assert len(loop) <= 2.2 * words * 512 / bits


def test_counts_of_one_mean_take_three_instructions_a_threshold() -> None:
    bits = require_vectors()
    _, assembly = kernel_of(Noisy, "float32")
    loops = [loop for loop in innermost_loops(assembly) if any(i.is_store and i.bits == bits for i in loop)]
    loops = [loop for loop in loops if sum(i.name.startswith("vpcmp") for i in loop) >= 8]
    assert loops
    for loop in loops:
        vectors = sum(i.is_store and i.bits == bits for i in loop)
        assert len([i for i in loop if i.bits]) <= (4 + 3 * 8) * vectors
