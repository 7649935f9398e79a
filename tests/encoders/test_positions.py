"""Position tables: resized, against the cubic written out place by place, and sines."""

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders import positions


def cubic(d):
    """Keys' kernel for a = -0.75, in PyTorch's nested form."""
    a = -0.75
    if d <= 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


def at(row, place):
    """A row of numbers read at a place between its own."""
    first = int(np.floor(place))
    return sum(cubic(abs(place - k)) * row[min(max(k, 0), len(row) - 1)] for k in range(first - 1, first + 3))


@pytest.mark.parametrize("new", [(5, 2), (4, 7), (1, 1)])
def test_resizing_is_a_cubic_along_rows_and_columns(new):
    table = np.random.default_rng(0).normal(size=(3, 4))
    places = [[(i + 0.5) * old / n - 0.5 for i in range(n)] for old, n in zip((3, 4), new, strict=True)]
    wanted = [[at([at(row, x) for row in table], y) for x in places[1]] for y in places[0]]
    found = positions.resize(jnp.float32(table.reshape(12, 1)), (3, 4), new)
    np.testing.assert_allclose(found.reshape(new), wanted, atol=1e-5)


def test_as_pytorch():
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(0).normal(size=(16, 16, 3)).astype(np.float32)
    for new in ((30, 30), (7, 21)):
        grid = torch.from_numpy(table).permute(2, 0, 1)[None]
        wanted = torch.nn.functional.interpolate(grid, size=new, mode="bicubic", align_corners=False)
        found = positions.resize(jnp.asarray(table.reshape(256, 3)), (16, 16), new)
        np.testing.assert_allclose(found, wanted[0].permute(1, 2, 0).reshape(-1, 3), atol=1e-5)


def test_own_grid_is_taken_as_it_is():
    table = jnp.arange(12.0).reshape(6, 2)
    assert positions.resize(table, (2, 3), (2, 3)) is table


def test_sines():
    table = positions.sines(7, 6)
    for place in range(7):
        for channel in range(6):
            angle = place / 10_000 ** (2 * (channel // 2) / 6)
            wanted = np.sin(angle) if channel % 2 == 0 else np.cos(angle)
            np.testing.assert_allclose(table[place, channel], wanted, atol=1e-6)
