"""Elementary functions written as primitive ops, so that every printer gives the same bits.

Nothing but the arithmetic of :mod:`neuromorph.lowering.program` is used (no fused multiply-add), after reducing the
argument to a short interval by powers of two; polynomials are near-minimax (Chebyshev). :data:`ULPS` says how accurate
each is. At the edges:

exp, sigmoid
    exp is 0 below 2**-126.5 and inf above 2**127.5 (float32), 2**-1022.5 and 2**1023.5 (float64). sigmoid is 1 at +inf
    and 0 where exp(-x) is inf.
expm1
    Arguments above 88 (float32) or 709 (float64) are taken as that.
log
    -inf at 0, nan below, exact at 1; subnormal arguments too.
tanh
    Saturates at +-1; relative accuracy is kept near 0.
sin, cos
    Of angles up to 12,000 (float32) or 10**6 (float64) within 2 units in the last place of 1; the error grows beyond.
power
    nan for a negative base; power(x, 0) = 1.

nan gives nan everywhere. Sources: W. J. Cody and W. Waite, "Software manual for the elementary functions" (1980), for
the reductions; T. J. Dekker, Numer. Math. 18 (1971), for exact products and sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from neuromorph.language.expr import Type
from neuromorph.lowering.builder import Value

ULPS = {
    "exp": (1.1, 1.0),
    "expm1": (1.8, 2.0),
    "phi1": (2.0, 2.0),
    "log": (0.9, 0.9),
    "sigmoid": (2.5, 2.4),
    "tanh": (2.6, 2.6),
    "sin": (1.5, 1.5),
    "cos": (1.5, 1.5),
    "power": (1.6, 1.9),
}
"""Largest errors in units in the last place of the exact result, in float32 and float64: of 12 million arguments over
the whole range and near 0, rounded up. For sin and cos the range ends at 88 (float32) and 709 (float64)."""


@dataclass(frozen=True)
class _Format:
    """Constants of one float width."""

    largest: float
    smallest: float  # normal
    digits: int  # of the significand
    exp_low: float  # exp is 0 below
    exponent_of_inf: float
    expm1_high: float
    tanh_high: float  # expm1 of it plus 1 or 2 is itself
    expm1_low: float  # expm1 is -1 below
    ln2_high: float  # times any exponent is exact
    ln2_low: float
    exp_terms: tuple[float, ...]  # (exp(r) - 1 - r) / r**2 in r
    log_terms: tuple[float, ...]  # (log((1 + s) / (1 - s)) - 2 s) / s**3 in s**2
    turn_sin_terms: tuple[float, ...]  # sin(2 pi r) / r in r**2
    turn_cos_terms: tuple[float, ...]  # cos(2 pi r) in r**2
    quarter: tuple[float, float, float]  # pi / 2 in parts; the first two times any quarter turns are exact
    sin_terms: tuple[float, ...]  # (sin(r) - r) / r**3 in r**2
    cos_terms: tuple[float, ...]  # (cos(r) - 1 + r**2 / 2) / r**4 in r**2


_FORMATS = {
    "float32": _Format(
        largest=float(np.finfo(np.float32).max),
        smallest=2.0**-126,
        digits=24,
        exp_low=-88.0,
        exponent_of_inf=128.0,
        expm1_high=88.0,
        tanh_high=20.0,
        expm1_low=-18.0,
        ln2_high=0.693359375,
        ln2_low=-0.00021219444170128554,
        exp_terms=(0.5, 0.16666576266288757, 0.041666556149721146, 0.008363178931176662, 0.0013926184037700295),
        log_terms=(0.6666666865348816, 0.4000012278556824, 0.28550779819488525, 0.23331613838672638),
        turn_sin_terms=(
            6.2831854820251465,
            -41.34170150756836,
            81.6052017211914,
            -76.69786834716797,
            41.47283172607422,
        ),
        turn_cos_terms=(1.0, -19.739208221435547, 64.93931579589844, -85.4428482055664, 59.22016906738281),
        quarter=(1.5703125, 0.0004837512969970703, 7.549790126404332e-08),
        sin_terms=(-0.1666666716337204, 0.008333331905305386, -0.00019840085587929934, 2.7249864160694415e-06),
        cos_terms=(0.0416666679084301, -0.00138888880610466, 2.480059993104078e-05, -2.7300907845528855e-07),
    ),
    "float64": _Format(
        largest=float(np.finfo(np.float64).max),
        smallest=2.0**-1022,
        digits=53,
        exp_low=-709.0,
        exponent_of_inf=1024.0,
        expm1_high=709.0,
        tanh_high=40.0,
        expm1_low=-38.0,
        ln2_high=0.693147180559663,
        ln2_low=2.8235290563031577e-13,
        exp_terms=(
            0.5,
            0.1666666666666667,
            0.04166666666666667,
            0.008333333333326136,
            0.0013888888888883748,
            0.00019841269874820627,
            2.4801587325547743e-05,
            2.7557255400206422e-06,
            2.75572736431103e-07,
            2.5105217004720745e-08,
            2.0914686968086876e-09,
        ),
        log_terms=(
            0.6666666666666666,
            0.40000000000000885,
            0.28571428570799784,
            0.22222222392581045,
            0.18181795547521137,
            0.15386244737621665,
            0.13268638369266825,
            0.13088034850927555,
        ),
        turn_sin_terms=(
            6.283185307179586,
            -41.34170224039976,
            81.60524927607493,
            -76.70585975299812,
            42.05869392898878,
            -15.094640403891546,
            3.8197881201632113,
            -0.7116358090781666,
        ),
        turn_cos_terms=(
            1.0,
            -19.739208802178716,
            64.93939402266795,
            -85.45681720652271,
            60.244641328867296,
            -26.426250908622137,
            7.903091687751697,
            -1.6968494702918826,
        ),
        quarter=(1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21),
        sin_terms=(
            -0.16666666666666666,
            0.008333333333333331,
            -0.0001984126984126506,
            2.7557319219335453e-06,
            -2.5052106231157904e-08,
            1.605853141458901e-10,
            -7.586685070091267e-13,
        ),
        cos_terms=(
            0.041666666666666664,
            -0.0013888888888888887,
            2.4801587301584645e-05,
            -2.755731922140076e-07,
            2.0876755790363397e-09,
            -1.1470460773969325e-11,
            4.7458652037874553e-14,
        ),
    ),
}


def _format(x: Value) -> _Format:
    return _FORMATS[x.builder.dtype]


def _polynomial(x: Value, terms: Sequence[float]) -> Value:
    result = x.builder.const(terms[-1])
    for term in reversed(terms[:-1]):
        result = result * x + term
    return result


def _not_above(x: Value, limit: float) -> Value:
    """The lesser; nan stays nan."""
    return x.builder.const(limit).least(x)


def _not_below(x: Value, limit: float) -> Value:
    """The greater; nan stays nan."""
    return x.builder.const(limit).most(x)


def _reduce(x: Value, highest: float | None = None) -> tuple[Value, Value]:
    """k (a whole float, at most ``highest``) and exp(r) - 1 where x = k ln 2 + r; abs(r) <= ln(2) / 2 below that."""
    f = _format(x)
    k = x.builder.emit("rint", x * float(1 / np.log(2.0)))
    k = k if highest is None else k.least(highest)
    r = (x - k * f.ln2_high) - k * f.ln2_low
    return k, r + r * r * _polynomial(r, f.exp_terms)


def _exp2i(k: Value) -> Value:
    return k.builder.emit("exp2i", k.to_int())


def exp(x: Value) -> Value:
    """e to the x."""
    if x.builder.whole:
        return x.builder.emit("exp", x)
    f = _format(x)
    k, less_one = _reduce(_not_below(x, f.exp_low), f.exponent_of_inf)
    return (less_one + 1.0) * _exp2i(k)  # 2**k is 0 at the least exponent and inf at the greatest: no more tests


def expm1(x: Value) -> Value:
    """exp(x) - 1, with relative accuracy near 0."""
    if x.builder.whole:
        return x.builder.emit("expm1", x)
    return _expm1(x, _format(x).expm1_high)


def _expm1(x: Value, high: float) -> Value:
    """exp(x) - 1; arguments above ``high`` are taken as that."""
    k, less_one = _reduce(_not_above(_not_below(x, _format(x).expm1_low), high))
    scale = _exp2i(k)
    return less_one * scale + (scale - 1.0)


def phi1(z: Value) -> Value:
    """(exp(z) - 1) / z, and 1 at z = 0: the weight of a constant drive in exponential Euler."""
    if z.builder.whole:
        return z.builder.emit("phi1", z)
    z = z.equals(0.0).where(_format(z).smallest, z)  # there the quotient is exactly 1
    return expm1(z) / z


def _split(x: Value) -> tuple[Value, Value]:
    """Exponent e (a float) and f = m - 1 with x = m 2**e, sqrt(1/2) < m <= sqrt(2); x positive and finite."""
    f = _format(x)
    lift = 2.0**f.digits
    small = x < f.smallest
    e, m1 = _split_normal(small.where(x * lift, x).most(f.smallest).least(f.largest))
    return e - small.where(float(f.digits), 0.0), m1


def _split_normal(x: Value) -> tuple[Value, Value]:
    """:func:`_split` for x that is not subnormal."""
    b = x.builder
    m, e = b.emit("mantissa", x), b.emit("exponent", x).to_float()
    upper = m > float(np.sqrt(2.0))
    return e + upper.where(1.0, 0.0), upper.where(m * 0.5, m) - 1.0


def _log_split(e: Value, m1: Value) -> Value:
    """log((1 + m1) 2**e)."""
    f = _format(e)
    s = m1 / (m1 + 2.0)
    z = s * s
    half_square = m1 * m1 * 0.5
    # log(1 + m1) = m1 - m1**2/2 + s (m1**2/2 + z R(z)): the correction is small, so little of m1 is lost.
    near = m1 - (half_square - (s * (half_square + z * _polynomial(z, f.log_terms)) + e * f.ln2_low))
    return near + e * f.ln2_high


def log(x: Value) -> Value:
    """Natural logarithm."""
    if x.builder.whole:
        return x.builder.emit("log", x)
    finite = (x <= _format(x).largest).where(_log_split(*_split(x)), x)
    return (x > 0.0).where(finite, x.equals(0.0).where(float("-inf"), float("nan")))


def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x))."""
    if x.builder.whole:
        return x.builder.emit("sigmoid", x)
    return 1.0 / (exp(-x) + 1.0)


def tanh(x: Value) -> Value:
    """Hyperbolic tangent."""
    if x.builder.whole:
        return x.builder.emit("tanh", x)
    t = _expm1(x * 2.0, _format(x).tanh_high)
    return t / (t + 2.0)


def sin(x: Value) -> Value:
    """Sine of an angle in radians."""
    return x.builder.emit("sin", x) if x.builder.whole else _wave(x, 0)


def cos(x: Value) -> Value:
    """Cosine of an angle in radians."""
    return x.builder.emit("cos", x) if x.builder.whole else _wave(x, 1)


def _wave(x: Value, ahead: int) -> Value:
    """sin(x + ahead pi / 2), from sine and cosine of what is left of x after whole quarter turns."""
    f, b = _format(x), x.builder
    turns = b.emit("rint", x * float(2.0 / np.pi))
    first, second, third = f.quarter
    r = ((x - turns * first) - turns * second) - turns * third
    z = r * r
    sine = r + r * z * _polynomial(z, f.sin_terms)
    cosine = 1.0 - (z * 0.5 - z * z * _polynomial(z, f.cos_terms))
    quarter = turns.to_int() + b.const(ahead, Type.INT) if ahead else turns.to_int()
    size = (quarter & b.const(1, Type.INT)).equals(1).where(cosine, sine)
    return (quarter & b.const(2, Type.INT)).equals(2).where(-size, size)


def integer_power(x: Value, exponent: int) -> Value:
    """x to a whole constant power by repeated multiplication; a negative one is a reciprocal (floats only)."""
    if exponent < 0:
        return 1.0 / integer_power(x, -exponent)
    if exponent == 0:
        return x.builder.const(1, x.type)
    result: Value | None = None
    while exponent:
        if exponent & 1:
            result = x if result is None else result * x
        exponent >>= 1
        if exponent:
            x = x * x
    assert result is not None  # exponent was positive
    return result


def _product(a: Value, b: Value) -> tuple[Value, Value]:
    """a * b exactly, as rounded product and error (Dekker)."""
    factor = 2.0 ** ((_format(a).digits + 1) // 2) + 1.0
    halves = []
    for x in (a, b):
        t = x * factor
        high = t - (t - x)
        halves.append((high, x - high))
    (ah, al), (bh, bl) = halves
    p = a * b
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def _sum(a: Value, b: Value) -> tuple[Value, Value]:
    """a + b exactly, as rounded sum and error, where abs(a) >= abs(b) or a is 0 (Dekker)."""
    s = a + b
    return s, b - (s - a)


def power(x: Value, y: Value) -> Value:
    """x to the y for x >= 0 through exp(y log(x)), the logarithm in two words; nan for negative x."""
    if x.builder.whole:
        return x.builder.emit("power", x, y)
    f, b = _format(x), x.builder
    e, m1 = _split(x)
    d, d_error = _sum(b.const(2.0), m1)
    s = m1 / d
    p, p_error = _product(s, d)
    s_error = ((m1 - p) - p_error - s * d_error) / d
    # log(1 + m1) = 2 s + 2/3 s**3 + s**5 (...): the first two terms in two words each.
    z, z_error = _product(s, s)
    cube, cube_error = _product(s, z)
    third, third_error = _product(cube, b.const(2 / 3))
    cube_error = cube_error + s * (z_error + s * s_error * 2.0) + s_error * z
    missing = float(Fraction(2, 3) - Fraction(b.const(2 / 3).constant or 0.0))
    third_error = third_error + cube_error * (2 / 3) + cube * missing
    tail = cube * z * _polynomial(z, f.log_terms[1:])
    near, near_error = _sum(s * 2.0, third)
    high, high_error = _sum(e * f.ln2_high, near)
    low = high_error + (near_error + (third_error + (s_error * 2.0 + (tail + e * f.ln2_low))))
    high, low = _sum(high, low)
    # Beyond 2**80 the result is 0, 1 or inf already, and the exact product would overflow.
    bounded = _not_above(_not_below(y, -(2.0**80)), 2.0**80)
    t, t_error = _product(high, bounded)
    t_error = t_error + low * bounded
    total = exp(t)
    # exp(t + t_error); the error is meaningless, and may be nan, where exp overflows.
    total = (total <= f.largest).where(total + total * t_error, total)
    edge = (y > 0.0).where(x, (y < 0.0).where(1.0 / x, y))  # x is 0 or inf
    result = ((x > 0.0) & (x <= f.largest)).where(total, edge)
    result = (x >= 0.0).where(result, float("nan"))
    return y.equals(0.0).where(1.0, result)


def _turn(u: Value) -> tuple[Value, Value]:
    """cos and sin of 2 pi u, for 0 <= u <= 1."""
    f, b = _format(u), u.builder
    quarter = b.emit("rint", u * 4.0)
    r = u - quarter * 0.25
    z = r * r
    cos, sin = _polynomial(z, f.turn_cos_terms), r * _polynomial(z, f.turn_sin_terms)
    q = quarter.to_int()
    one = b.const(1, Type.INT)
    odd = (q & one).equals(1)
    first, second = odd.where(sin, cos), odd.where(cos, sin)
    minus_first = ((q + one) & b.const(2, Type.INT)).equals(2)
    minus_second = (q & b.const(2, Type.INT)).equals(2)
    return minus_first.where(-first, first), minus_second.where(-second, second)


def uniform(high: Value, low: Value) -> Value:
    """Uniform in [0, 1) from two words of random bits: 24 bits of the first in float32, 53 of both in float64."""
    if high.builder.dtype == "float32":
        return (high >> 8).to_float() * 2.0**-24
    return high.to_float() * 2.0**-32 + (low >> 11).to_float() * 2.0**-53


def normal_pair(words: tuple[Value, Value, Value, Value]) -> tuple[Value, Value]:
    """Two independent standard normal numbers from a block of four random words (Box and Muller 1958).

    The radius uses 32 (float32) or 53 bits, so abs(x) stays below 6.8 or 8.6.
    """
    u = words[0].to_float() * 2.0**-32
    if words[0].builder.dtype == "float32":
        u = u + 2.0**-33
    else:
        u = u + ((words[1] >> 11) + 1).to_float() * 2.0**-53
    radius = words[0].builder.emit("sqrt", _log_split(*_split_normal(u)) * -2.0)
    cos, sin = _turn(uniform(words[2], words[3]))
    return radius * cos, radius * sin
