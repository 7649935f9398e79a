"""A path of many pixels as few straight lines, chosen exactly. Knows no pens and no images."""

import numpy as np
from jaxtyping import Float


def corners(path: Float[np.ndarray, "n 2"], price: float) -> list[int]:
    """Returns which pixels of a path to keep, ends included.

    Of all choices the one with the least sum of squared distances from every pixel to its line, plus a price a line.
    A line has two different ends, so a closed path keeps at least three pixels.
    """
    n = len(path)
    y, x = path.T
    sums = np.zeros((n + 1, 5))
    sums[1:] = np.cumsum(np.column_stack([y, x, y * y, x * x, y * x]), axis=0)
    first, last = np.triu_indices(n, 1)
    # From sums over a stretch of the path to sums of squares about its first pixel, then across its line.
    many = last - first + 1
    sum_y, sum_x, sum_yy, sum_xx, sum_yx = (sums[last + 1] - sums[first]).T
    y0, x0 = y[first], x[first]
    sum_yy += many * y0**2 - 2 * y0 * sum_y
    sum_xx += many * x0**2 - 2 * x0 * sum_x
    sum_yx += many * y0 * x0 - y0 * sum_x - x0 * sum_y
    dy, dx = y[last] - y0, x[last] - x0
    length = dy**2 + dx**2
    across = (dx**2 * sum_yy + dy**2 * sum_xx - 2 * dx * dy * sum_yx) / np.maximum(length, 1e-12)
    error = np.full((n, n), np.inf)
    error[first, last] = np.where(length > 0, across, np.inf)

    best, before = np.zeros(n), np.zeros(n, int)
    for pixel in range(1, n):
        total = best[:pixel] + error[:pixel, pixel] + price
        before[pixel] = total.argmin()
        best[pixel] = total[before[pixel]]
    kept = [n - 1]
    while kept[-1]:
        kept.append(int(before[kept[-1]]))
    return kept[::-1]
