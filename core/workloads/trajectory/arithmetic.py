"""Sine, cosine, logarithm and normal numbers with the same bits on every processor.

The functions of numpy and of the C library differ in the last bit between processors and versions (each has its own
vector code), which would change the data set's root hash. These use only what IEEE 754 rounds in one way: addition,
multiplication, division, square root, each an array operation of its own, so that no compiler can fuse two of them.
Errors are below 4e-16, absolute for sine and cosine and relative for the logarithm.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TWO_PI = 6.283185307179586
_LOG_2 = 0.6931471805599453
_SQRT_HALF = 0.7071067811865476
# Taylor's series; what is left out is below 1e-17 where |angle| ≤ π/4 and |(m - 1)/(m + 1)| ≤ 0.172.
_SINE = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(9))
_COSINE = tuple((-1) ** k / math.factorial(2 * k) for k in range(10))
_ARTANH = tuple(1 / (2 * k + 1) for k in range(12))


def cosine_sine(turns: Floats) -> tuple[Floats, Floats]:
    """Cosine and sine of angles in turns (1 is 360°), of any shape.

    >>> [values.tolist() for values in cosine_sine(np.array([0.0, 0.25, 0.5, -0.25]))]
    [[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]]
    """
    quarters = np.floor(turns * 4.0 + 0.5)
    angle = (turns - quarters * 0.25) * _TWO_PI
    square = angle * angle
    cosine, sine = _polynomial(_COSINE, square), _polynomial(_SINE, square) * angle
    quarter = quarters.astype(np.int64) & 3
    turned = quarter & 1 == 1
    # Zero is added so that -0 and 0, which compare equal but are written differently, are one.
    return (
        np.where(turned, sine, cosine) * np.where((quarter == 1) | (quarter == 2), -1.0, 1.0) + 0.0,
        np.where(turned, cosine, sine) * np.where(quarter >= 2, -1.0, 1.0) + 0.0,
    )


def logarithm(values: Floats) -> Floats:
    """Natural logarithm of numbers above 0 that are not subnormal."""
    mantissa, exponent = np.frexp(values)
    small = mantissa < _SQRT_HALF
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    exponent = exponent - small
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    return exponent * _LOG_2 + ratio * 2.0 * _polynomial(_ARTANH, ratio * ratio)


def normals(uniforms: Floats) -> Floats:
    """Standard normal numbers from uniform ones in [0, 1), [n, 2 k] to [n, 2 k] (Box and Muller 1958)."""
    half = uniforms.shape[1] // 2
    radius = np.sqrt(logarithm(1.0 - uniforms[:, :half]) * -2.0)
    cosine, sine = cosine_sine(uniforms[:, half:])
    return np.concatenate([radius * cosine, radius * sine], axis=1)


def _polynomial(coefficients: tuple[float, ...], values: Floats) -> Floats:
    total = np.full(values.shape, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total *= values
        total += coefficient
    return total
