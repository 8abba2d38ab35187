"""A partition that brings little but poison is paused, longer each time, and forgiven."""

from __future__ import annotations

from datetime import timedelta

from evergreen.core.poison import PoisonWatch


def noted(watch: PoisonWatch, *runs: tuple[int, bool]) -> list[timedelta]:
    pauses = (watch.note(poison=poison) for count, poison in runs for _ in range(count))
    return [pause for pause in pauses if pause is not None]


def test_forty_nine_in_a_row_are_borne_and_the_fiftieth_is_not() -> None:
    watch = PoisonWatch()

    assert noted(watch, (49, True)) == []
    assert noted(watch, (1, True)) == [timedelta(seconds=30)]


def test_five_percent_of_a_window_are_borne_and_more_are_not() -> None:
    assert noted(PoisonWatch(), (10, True), (190, False)) == []
    assert noted(PoisonWatch(), (11, True), (189, False)) == [timedelta(seconds=30)]


def test_a_part_of_a_window_says_nothing() -> None:
    assert noted(PoisonWatch(), (40, True), (1, False), (40, True)) == []


def test_each_pause_is_twice_the_last_up_to_five_minutes() -> None:
    watch = PoisonWatch()

    assert [pause.total_seconds() for pause in noted(watch, (300, True))] == [30, 60, 120, 240, 300, 300]


def test_a_clean_window_forgives() -> None:
    watch = PoisonWatch()
    noted(watch, (100, True), (200, False))

    assert noted(watch, (50, True)) == [timedelta(seconds=30)]
