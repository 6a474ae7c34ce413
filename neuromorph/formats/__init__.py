"""How numbers are stored: SPARK, ints, fixed point and floats, as one family.

Every format encodes an array of any shape (``Spark().encode(weights, axis=0)``), and what comes back says what it takes
(``bits``, ``nbytes``), gives the numbers again (``decode()``, ``tile(k)``, ``[a:b]``) and goes through bytes and files.
"""

from .encoded import TILE, Encoded, NumberFormat
from .kept import kept_scale
from .plain import Fixed, Float, Int
from .scales import absmax_scale
from .spark import Spark, spark_pack, spark_unpack
from .statistics import Statistics, statistics
from .stream import Reader, Writer
from .tables import spark_codes, spark_length, spark_table

__all__ = [
    "TILE",
    "Encoded",
    "Fixed",
    "Float",
    "Int",
    "NumberFormat",
    "Reader",
    "Spark",
    "Statistics",
    "Writer",
    "absmax_scale",
    "kept_scale",
    "spark_codes",
    "spark_length",
    "spark_pack",
    "spark_table",
    "spark_unpack",
    "statistics",
]
