"""Ports move together and a taken one is named."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from evergreen.core.errors import StackError
from evergreen.local_stack import ports
from evergreen.local_stack.ports import BASE, Ports, free_port_offset, is_free, refuse_taken, taken
from evergreen.local_stack.testing import port_offset


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(1)
        yield held.getsockname()[1]


def test_every_port_moves_by_the_offset() -> None:
    assert {part: Ports(300).of(part) - port for part, port in BASE.items()} == dict.fromkeys(BASE, 300)
    assert len(set(BASE.values())) == len(BASE)


def test_a_taken_port_is_named_with_its_part_and_the_way_out(listener: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BASE, "redis", listener)
    assert not is_free(listener)
    assert taken(Ports(0), {"redis"}) == {"redis": listener}
    with pytest.raises(StackError, match=rf"port {listener} \(redis\) is taken by .*EVERGREEN_PORT_OFFSET"):
        refuse_taken(Ports(0), {"redis"})


def test_only_the_ports_of_parts_we_start_matter(listener: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BASE, "redis", listener)
    assert taken(Ports(0), set()) == {}


def test_a_free_offset_steps_over_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {BASE["kafka"], BASE["mlflow"] + 100}
    monkeypatch.setattr(ports, "is_free", lambda port: port not in held)
    assert free_port_offset() == 200
    assert free_port_offset(parts={"redis"}) == 0


def test_no_free_offset_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)
    with pytest.raises(StackError, match="no free range"):
        free_port_offset()


def test_two_test_runs_never_share_a_range() -> None:
    with port_offset() as one, port_offset() as other:
        assert one != other
