"""A day's filter built offline by pybloom-live, ready to be swapped in: the same layers, and the same bytes, as adding the items online makes."""

from __future__ import annotations

from collections.abc import Iterable

from pybloom_live import BloomFilter

from evergreen.core.seen_window import layer


def build_layers(items: Iterable[str]) -> list[tuple[bytes, int]]:
    """(bitmap, number of items) per layer; one empty layer for no items. An item an earlier layer may hold is not added again."""
    layers: list[BloomFilter] = [_empty(0)]
    for item in items:
        if any(item in built for built in layers):
            continue
        if layers[-1].count >= layers[-1].capacity:
            layers.append(_empty(len(layers)))
        layers[-1].add(item, skip_check=True)
    return [(built.bitarray.tobytes(), built.count) for built in layers]


def _empty(index: int) -> BloomFilter:
    of = layer(index)
    built = BloomFilter(of.capacity, of.error)
    assert (built.num_slices, built.bits_per_slice) == (of.slices, of.bits_per_slice), "pybloom-live sizes its filters differently now"  # noqa: S101
    return built
