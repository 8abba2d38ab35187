"""What stands in a select box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


def told_apart(labels: Mapping[str, str]) -> dict[str, str]:
    """By id, as given; those that would read alike with their id behind. A select box takes two options that read alike for one."""
    alike = Counter(labels.values())
    return {name: f"{label} · {name}" if alike[label] > 1 else label for name, label in labels.items()}
