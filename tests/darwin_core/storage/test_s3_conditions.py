"""Conditional writes on stores that each have their own way of saying no."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.faulty_proxy import Exchange, Fault, FaultyProxy, Reply, error_body, forward
from support.stores import Place

from darwin_core.errors import ConditionalWritesUnsupportedError, PreconditionFailedError, StorageError
from darwin_core.storage import probe_conditional_writes

LOST = error_body("PreconditionFailed")


def carries(header: str, test: Callable[[str], bool] = bool) -> Callable[[Exchange], bool]:
    """PUT requests with this header, where its value passes the test."""
    return lambda exchange: exchange.method == "PUT" and header in exchange.headers and test(exchange.headers[header])


@pytest.mark.parametrize("status", [500, 503])
def test_a_create_whose_answer_was_lost_is_a_success(through_proxy: Place, proxy: FaultyProxy, status: int) -> None:
    def lose_answer(exchange: Exchange) -> Reply:
        assert forward(exchange).status == 200
        return Reply(status)

    proxy.faults.append(Fault(carries("If-None-Match"), lose_answer))
    etag = through_proxy.store.write(through_proxy.uri("a"), b"ours", if_absent=True)
    stored = through_proxy.store.read(through_proxy.uri("a"))
    assert (stored.data, stored.etag) == (b"ours", etag)


def test_a_replace_whose_answer_was_lost_is_a_success(through_proxy: Place, proxy: FaultyProxy) -> None:
    def lose_answer(exchange: Exchange) -> Reply:
        assert forward(exchange).status == 200
        return Reply(500)

    before = through_proxy.store.write(through_proxy.uri("a"), b"before")
    proxy.faults.append(Fault(carries("If-Match"), lose_answer))
    etag = through_proxy.store.write(through_proxy.uri("a"), b"after", if_match=before)
    stored = through_proxy.store.read(through_proxy.uri("a"))
    assert (stored.data, stored.etag) == (b"after", etag)


@pytest.mark.parametrize("status", [409, 500])
def test_a_loser_that_is_told_something_else_than_412(through_proxy: Place, proxy: FaultyProxy, status: int) -> None:
    before = through_proxy.store.write(through_proxy.uri("a"), b"before")
    through_proxy.store.write(through_proxy.uri("a"), b"rival")
    answer = Reply(status, body=error_body("ConditionalRequestConflict" if status == 409 else "InternalError"))
    proxy.faults.append(Fault(carries("If-Match"), lambda _: answer, times=99))
    with pytest.raises(PreconditionFailedError, match="somebody else wrote first"):
        through_proxy.store.write(through_proxy.uri("a"), b"ours", if_match=before)
    assert through_proxy.store.read(through_proxy.uri("a")).data == b"rival"


def test_a_conflict_without_a_winner_is_tried_again(through_proxy: Place, proxy: FaultyProxy) -> None:
    answer = Reply(409, body=error_body("ConditionalRequestConflict"))
    proxy.faults.append(Fault(carries("If-None-Match"), lambda _: answer, times=2))
    through_proxy.store.write(through_proxy.uri("a"), b"ours", if_absent=True)
    assert through_proxy.store.read(through_proxy.uri("a")).data == b"ours"


def test_a_store_that_breaks_on_conditions_is_no_lost_race(through_proxy: Place, proxy: FaultyProxy) -> None:
    answer = Reply(500, body=error_body("InternalError"))
    proxy.faults.append(Fault(carries("If-None-Match"), lambda _: answer, times=99))
    with pytest.raises(StorageError, match=r"PutObject on s3://.*InternalError") as caught:
        through_proxy.store.write(through_proxy.uri("a"), b"ours", if_absent=True)
    assert not isinstance(caught.value, PreconditionFailedError)


@pytest.mark.parametrize("only_quoted", [False, True], ids=["bare", "quoted"])
def test_stores_that_take_one_form_of_the_etag(through_proxy: Place, proxy: FaultyProxy, only_quoted: bool) -> None:
    proxy.faults.append(
        Fault(carries("If-Match", lambda value: value.startswith('"') != only_quoted), lambda _: Reply(412), times=99)
    )
    before = through_proxy.store.write(through_proxy.uri("a"), b"before")
    after = through_proxy.store.write(through_proxy.uri("a"), b"after", if_match=before)
    assert through_proxy.store.read(through_proxy.uri("a")).etag == after
    with pytest.raises(PreconditionFailedError):
        through_proxy.store.write(through_proxy.uri("a"), b"late", if_match=before)


@pytest.mark.parametrize("ignored", [("if-match",), ("if-none-match",), ("if-match", "if-none-match")])
def test_the_probe_refuses_a_store_that_ignores_conditions(
    through_proxy: Place, proxy: FaultyProxy, ignored: tuple[str, ...]
) -> None:
    proxy.faults.append(
        Fault(lambda exchange: exchange.method == "PUT", lambda exchange: forward(exchange, without=ignored), times=99)
    )
    with pytest.raises(ConditionalWritesUnsupportedError, match="ignores conditions"):
        probe_conditional_writes(through_proxy.store, through_proxy.uri("pointers"))
    assert list(through_proxy.store.list(through_proxy.prefix)) == []


def test_the_probe_refuses_a_store_that_replaces_what_is_not_there(through_proxy: Place, proxy: FaultyProxy) -> None:
    proxy.faults.append(
        Fault(
            lambda exchange: exchange.method == "PUT" and exchange.path.endswith("-missing"),
            lambda exchange: forward(exchange, without=("if-match",)),
            times=99,
        )
    )
    with pytest.raises(ConditionalWritesUnsupportedError, match="an object that is not there"):
        probe_conditional_writes(through_proxy.store, through_proxy.uri("pointers"))


def test_the_probe_refuses_a_store_that_knows_no_conditions(through_proxy: Place, proxy: FaultyProxy) -> None:
    answer = Reply(501, body=error_body("NotImplemented"))
    proxy.faults.append(Fault(carries("If-None-Match"), lambda _: answer, times=99))
    with pytest.raises(ConditionalWritesUnsupportedError, match="does not implement"):
        probe_conditional_writes(through_proxy.store, through_proxy.uri("pointers"))


def test_the_probe_refuses_a_store_that_always_says_lost(through_proxy: Place, proxy: FaultyProxy) -> None:
    proxy.faults.append(Fault(carries("If-Match"), lambda _: Reply(412, body=LOST), times=99))
    with pytest.raises(ConditionalWritesUnsupportedError, match="although the condition holds"):
        probe_conditional_writes(through_proxy.store, through_proxy.uri("pointers"))


def test_the_probe_needs_no_right_to_delete(through_proxy: Place, proxy: FaultyProxy) -> None:
    denied = Reply(403, body=error_body("AccessDenied"))
    proxy.faults.append(Fault(lambda exchange: exchange.method == "DELETE", lambda _: denied, times=99))
    probe_conditional_writes(through_proxy.store, through_proxy.uri("pointers"))
