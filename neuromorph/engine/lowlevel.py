"""What generated kernels and the driver need below NumPy: addresses, calls by address, atomics and prefetch.

Only the compiled engine imports this module, and late, because it imports Numba.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

I64 = ir.IntType(64)


@intrinsic
def pointer(typingctx: Any, address: Any) -> Any:
    """An address as a void pointer, for ``carray``."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), build


@intrinsic
def float_bits(typingctx: Any, x: Any) -> Any:
    """The bits of a float32 or float64 as an int of that width."""
    word = types.int32 if x == types.float32 else types.int64

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(word))

    return word(x), build


@intrinsic
def bits_float(typingctx: Any, bits: Any) -> Any:
    """The float that has the bits of an int32 or int64."""
    number = types.float32 if bits == types.int32 else types.float64

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(number))

    return number(bits), build


@intrinsic
def choose(typingctx: Any, condition: Any, yes: Any, no: Any) -> Any:
    """``yes if condition else no`` without a branch; both are numbers of one type."""
    if condition != types.boolean or yes != no:
        return None

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return yes(condition, yes, no), build


@intrinsic
def stack(typingctx: Any, length: Any) -> Any:
    """Address of so many bytes on the stack of the calling function, at a cache line; the length is a constant."""
    if not isinstance(length, types.IntegerLiteral):
        raise RequireLiteralValue("stack() takes a constant")

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8)
        with builder.goto_entry_block():
            memory = builder.alloca(byte, ir.IntType(32)(length.literal_value))
            memory.align = 64
        return builder.ptrtoint(memory, I64)

    return types.int64(length), build


@intrinsic
def set_bytes(typingctx: Any, address: Any) -> Any:
    """Which of the 64 bytes at an address are not 0, as bits; the first byte's is the lowest."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.IntType(8), 64)
        data = builder.load(builder.inttoptr(args[0], vector.as_pointer()), align=1)
        return builder.bitcast(builder.icmp_unsigned("!=", data, ir.Constant(vector, None)), I64)

    return types.uint64(types.int64), build


@intrinsic
def lowest_bit(typingctx: Any, bits: Any) -> Any:
    """Position of the lowest bit that is set in a uint64 other than 0."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), build


@intrinsic
def call(typingctx: Any, function: Any, step: Any, offset: Any, item: Any) -> Any:
    """Call the kernel at address ``function`` with (step, offset, address of the item)."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [I64, I64, I64])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), build


@intrinsic
def atomic_add(typingctx: Any, address: Any, amount: Any) -> Any:
    """Add to the int64 at an address, sequentially consistent; gives the old value."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", builder.inttoptr(args[0], I64.as_pointer()), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), build


@intrinsic
def atomic_load(typingctx: Any, address: Any) -> Any:
    """The int64 at an address, with acquire order."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(builder.inttoptr(args[0], I64.as_pointer()), "acquire", 8)

    return types.int64(types.int64), build


@intrinsic
def atomic_store(typingctx: Any, address: Any, value: Any) -> Any:
    """Write an int64 with release order."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], builder.inttoptr(args[0], I64.as_pointer()), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), build


@intrinsic
def prefetch(typingctx: Any, address: Any) -> Any:
    """Ask for the cache line at an address, to be read soon."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(function, [builder.inttoptr(args[0], byte), i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(types.int64), build


@intrinsic
def pause(typingctx: Any) -> Any:
    """Tell the processor that this thread waits in a loop: the other thread of its core gets more of it."""
    hints = {"x86_64": "llvm.x86.sse2.pause", "amd64": "llvm.x86.sse2.pause", "aarch64": "llvm.aarch64.hint"}

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name = hints.get(platform.machine().lower())
        if name is not None:
            yields = [ir.Constant(ir.IntType(32), 1)] if name.endswith("hint") else []
            kind = ir.FunctionType(ir.VoidType(), [value.type for value in yields])
            builder.call(builder.module.declare_intrinsic(name, fnty=kind), yields)
        return context.get_dummy_value()

    return types.void(), build


ARRAYS = 32
"""Arrays that a kernel may tell apart."""


@intrinsic
def load_apart(typingctx: Any, address: Any, index: Any, dtype: Any, array: Any) -> Any:
    """Element ``index`` of the array at an address.

    ``array`` is a constant below :data:`ARRAYS`; what is loaded from and stored to arrays of different numbers is
    promised not to overlap, so that loops that gather from one and store to another can be vectorised.
    """
    if not isinstance(array, types.IntegerLiteral):
        raise RequireLiteralValue("load_apart() takes a constant number of an array")
    kind = dtype.dtype

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(kind)
        load = builder.load(builder.gep(builder.inttoptr(args[0], element.as_pointer()), [args[1]]))
        load.align = context.get_abi_sizeof(element)
        _set_apart(builder, load, array.literal_value)
        return load

    return kind(address, index, dtype, array), build


@intrinsic
def store_apart(typingctx: Any, address: Any, index: Any, value: Any, array: Any) -> Any:
    """Give element ``index`` of the array at an address a value; see :func:`load_apart`."""
    if not isinstance(array, types.IntegerLiteral):
        raise RequireLiteralValue("store_apart() takes a constant number of an array")

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = context.get_data_type(value)
        place = builder.gep(builder.inttoptr(args[0], element.as_pointer()), [args[1]])
        store = builder.store(args[2], place, align=context.get_abi_sizeof(element))
        _set_apart(builder, store, array.literal_value)
        return context.get_dummy_value()

    return types.void(address, index, value, array), build


def _set_apart(builder: Any, instruction: Any, array: int) -> None:
    module = builder.module
    domain = module.add_metadata(["arrays of a kernel"])
    scopes = [module.add_metadata([f"array {k}", domain]) for k in range(ARRAYS)]
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[array]]))
    instruction.set_metadata("noalias", module.add_metadata([scope for k, scope in enumerate(scopes) if k != array]))


sched_yield = types.ExternalFunction("sched_yield", types.int32())  # gives the core to a waiting thread
