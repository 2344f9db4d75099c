"""The books of one organisation: each event's meaning, and what holds in any order of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fenta.billing.books import Books
from fenta.billing.handlers import USE_CASES
from fenta.billing.ledger import NEVER_NEGATIVE, Cause, Ledger, Overdrawn, Unbalanced
from fenta.billing.models import Account, WrongState
from fenta.contracts.events import BudgetExceeded, Event, JobAuthorized, JobRefused
from tests.billing.events import HIGH, LOW, NOW, cancelled, completed, raised, requested, used

ORG = "org_019fdfca-e24b-79f7-af79-70264164d839"
JOBS = [f"job_019fdfca-e24b-79f7-af79-70264164d83{digit}" for digit in "123"]
JOB = JOBS[0]
USAGE = [f"usage_019fdfca-e24b-79f7-af79-70264164d83{digit}" for digit in "0123456789ab"]


def new_books(plan: str = "free", now: datetime = NOW) -> Books:
    account = Account(org_id=ORG, plan=plan, opened_at=now)
    books = Books(account=account, ledger=Ledger(), now=now, release_wait=timedelta(minutes=15))
    books.renew()
    return books


def apply(books: Books, *events: Event) -> list[Event]:
    return [told for event in events for told in USE_CASES[type(event)](books, event)]


def only(events: Sequence[Event]) -> Event:
    (event,) = events
    return event


def assert_sound(books: Books) -> None:
    """What must hold at every moment."""
    ledger = books.ledger
    for unit in ledger.units():
        amounts = {account: amount for (name, account), amount in ledger.balances.items() if name == unit}
        assert sum(amounts.values()) == 0
        assert all(amount >= 0 for account, amount in amounts.items() if account in NEVER_NEGATIVE)
        open_holds = [hold for hold in books.holds.values() if hold.takes_usage]
        assert sum(hold.left(unit) for hold in open_holds) == amounts.get("held", 0)
        taken = [line for line in books.usage.values() if line.unit == unit and line.outcome != "ignored"]
        assert sum(line.quantity for line in taken) == amounts.get("used", 0)
    references = [transaction.cause.reference for transaction in ledger.posted]
    assert len(references) == len(set(references))


def test_a_request_reserves_high_and_freezes_its_prices() -> None:
    books = new_books()
    told = only(apply(books, requested(ORG, JOB)))
    assert isinstance(told, JobAuthorized)
    assert told.hold == HIGH
    assert told.revision == 1
    assert told.unit_prices_micros["kai_credits"] == 50_000
    assert told.price_version
    assert told.cost_limit_micros == 1000 + 20 * 50_000 + 200 * 100 + 10 * 20_000
    assert books.ledger.balance("kai_credits", "available") == 30
    assert_sound(books)


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"max_cost_micros": 1}, "max_cost_too_low"), ({"low": {"kai_credits": 51}}, "insufficient_credits")],
)
def test_what_does_not_fit_is_refused_and_holds_nothing(limits: dict[str, object], code: str) -> None:
    books = new_books()
    told = only(apply(books, requested(ORG, JOB, **limits)))  # type: ignore[arg-type]
    assert isinstance(told, JobRefused)
    assert told.code == code
    assert books.ledger.balance("kai_credits", "held") == 0


def test_a_repeated_request_says_nothing_more() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB))
    assert apply(books, requested(ORG, JOB)) == []
    assert books.ledger.balance("kai_credits", "held") == HIGH["kai_credits"]


def test_a_higher_revision_raises_the_total_and_a_lower_one_is_ignored() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB))
    told = only(apply(books, raised(ORG, JOB, 3, {"kai_credits": 30})))
    assert isinstance(told, JobAuthorized)
    assert told.hold == HIGH | {"kai_credits": 30}
    assert apply(books, raised(ORG, JOB, 3, {"kai_credits": 40}), raised(ORG, JOB, 2, {"kai_credits": 40})) == []
    assert books.ledger.balance("kai_credits", "held") == 30
    assert_sound(books)


def test_a_raise_beyond_the_account_keeps_the_old_hold() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB))
    told = only(apply(books, raised(ORG, JOB, 2, {"kai_credits": 60})))
    assert isinstance(told, JobRefused)
    assert (told.code, told.revision, told.missing) == ("insufficient_credits", 2, {"kai_credits": 10})
    assert books.holds[JOB].units == HIGH


def test_a_raise_beyond_the_cost_limit_is_refused_until_the_limit_is_raised() -> None:
    books = new_books("pro")
    apply(books, requested(ORG, JOB, max_cost_micros=1_300_000))
    told = only(apply(books, raised(ORG, JOB, 2, {"kai_credits": 40})))
    assert isinstance(told, JobRefused)
    assert told.code == "max_cost_too_low"
    assert isinstance(only(apply(books, raised(ORG, JOB, 3, {"kai_credits": 40}, 3_000_000))), JobAuthorized)


def test_usage_is_taken_from_the_hold_and_the_rest_returns() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB), used(ORG, JOB, quantity=4, usage_id=USAGE[0]))
    apply(books, completed(ORG, JOB, [USAGE[0]]))
    assert books.holds[JOB].state == "released"
    assert books.ledger.balance("kai_credits", "used") == 4
    assert books.ledger.balance("kai_credits", "available") == 46
    assert books.ledger.balance("tts_characters", "held") == 0
    assert books.usage[USAGE[0]].cost_micros == 200_000
    assert_sound(books)


def test_local_engines_use_their_quantity_and_cost_nothing() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB), used(ORG, JOB, quantity=4, provider="local"))
    captured = books.ledger.posted[-1]
    assert (captured.kind, captured.quantity, captured.cost_micros) == ("capture", 4, 0)


def test_the_second_line_of_an_id_changes_nothing_and_a_different_one_is_told() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB), *[used(ORG, JOB, usage_id=USAGE[0])] * 2)
    assert books.ledger.balance("kai_credits", "used") == 4
    assert books.conflicts == []
    apply(books, used(ORG, JOB, quantity=5, usage_id=USAGE[0]))
    assert books.conflicts == [USAGE[0]]


def test_usage_beyond_the_hold_is_debited_and_announced() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB, high=LOW))
    told = only(apply(books, used(ORG, JOB, quantity=10)))
    assert isinstance(told, BudgetExceeded)
    assert (told.scope, told.unit, told.over, told.spent_micros) == ("job", "kai_credits", 2, 500_000)
    kinds = [(line.kind, line.quantity) for line in books.ledger.posted if line.cause.usage_id]
    assert kinds == [("capture", 8), ("over_budget", 2)]
    assert_sound(books)


def test_usage_beyond_the_account_becomes_overage() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB), used(ORG, JOB, quantity=70))
    assert books.ledger.balance("kai_credits", "available") == 0
    assert books.ledger.balance("kai_credits", "overage") == -20
    assert_sound(books)


def test_an_end_waits_for_the_usage_it_names() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB), completed(ORG, JOB, [USAGE[0], USAGE[1]]), used(ORG, JOB, usage_id=USAGE[1]))
    assert books.holds[JOB].state == "ending"
    apply(books, used(ORG, JOB, usage_id=USAGE[0]))
    assert books.holds[JOB].state == "released"
    assert books.ledger.balance("kai_credits", "available") == 42


def test_an_end_waits_no_longer_than_it_must() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB), completed(ORG, JOB, [USAGE[0]]))
    books.now += timedelta(minutes=14)
    assert books.release_due() == []
    books.now += timedelta(minutes=1)
    assert [hold.job_id for hold in books.release_due()] == [JOB]
    apply(books, used(ORG, JOB, usage_id=USAGE[0]))
    assert books.usage[USAGE[0]].outcome == "late"
    assert books.ledger.balance("kai_credits", "used") == 4
    assert_sound(books)


def test_an_end_that_overtakes_its_request_leaves_a_mark() -> None:
    books = new_books()
    assert apply(books, cancelled(ORG, JOB)) == []
    told = only(apply(books, requested(ORG, JOB)))
    assert isinstance(told, JobRefused)
    assert told.code == "job_final"
    assert apply(books, requested(ORG, JOB)) == []
    assert books.ledger.balance("kai_credits", "held") == 0


def test_a_hold_expires() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB))
    books.now += timedelta(days=8)
    books.release_due()
    assert books.ledger.balance("kai_credits", "available") == 50


def test_a_new_month_grants_anew_and_begins_at_nothing_used() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB), used(ORG, JOB, quantity=70), completed(ORG, JOB))
    books.now += timedelta(days=31)
    books.renew()
    books.renew()
    assert books.ledger.balance("kai_credits", "available") == 50
    assert books.ledger.balance("kai_credits", "used") == 0
    assert books.ledger.balance("kai_credits", "overage") == 0
    assert books.ledger.balance("kai_credits", "granted") == -50


def test_a_released_hold_refuses_every_transition() -> None:
    books = new_books()
    apply(books, requested(ORG, JOB), completed(ORG, JOB))
    hold = books.holds[JOB]
    for act in (hold.release, lambda: hold.capture("kai_credits", 1, 1), lambda: hold.end([], NOW)):
        with pytest.raises(WrongState):
            act()


def test_the_ledger_refuses_what_is_not_there() -> None:
    ledger = Ledger()
    with pytest.raises(Overdrawn):
        ledger.hold("kai_credits", 1, Cause("x"))
    with pytest.raises(ValueError, match="-1"):
        ledger.grant("kai_credits", -1, Cause("x"))
    for crooked in ({"granted": -1}, {"available": 1}, {"granted": -1, "available": 2}):
        with pytest.raises(Unbalanced):
            ledger._post("grant", "kai_credits", 1, crooked, Cause("x"))  # type: ignore[arg-type]
    assert not ledger.balances


_job = st.sampled_from(JOBS)
_usage_ids = st.lists(st.sampled_from(USAGE), max_size=4)
_units = st.dictionaries(st.sampled_from(list(HIGH)), st.integers(0, 60))
_event = st.one_of(
    st.builds(lambda job, low, high: requested(ORG, job, low=low, high=high), _job, _units, _units),
    st.builds(lambda job, revision, hold: raised(ORG, job, revision, hold), _job, st.integers(2, 5), _units),
    st.builds(
        lambda job, unit, quantity, usage_id: used(ORG, job, unit, quantity, usage_id=usage_id),
        st.none() | _job,
        st.sampled_from([*HIGH, "dreams"]),
        st.integers(-5, 40),
        st.sampled_from(USAGE),
    ),
    st.builds(lambda job, usage_ids: completed(ORG, job, usage_ids), _job, _usage_ids),
    st.just(None),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_event, max_size=40))
def test_any_interleaving_keeps_the_books_sound(events: list[Event | None]) -> None:
    books = new_books()
    for event in events:
        if event is None:
            books.now += timedelta(minutes=10)
            books.release_due()
        else:
            apply(books, event)
        assert_sound(books)


@settings(max_examples=100, deadline=None)
@given(st.lists(_event.filter(lambda event: event is not None), max_size=25))
def test_every_event_twice_is_every_event_once(events: list[Event]) -> None:
    once, twice = new_books(), new_books()
    for event in events:
        assert apply(once, event) == apply(twice, event)
        apply(twice, event)
    assert once.ledger.balances == twice.ledger.balances


@settings(max_examples=100, deadline=None)
@given(st.permutations([*range(6)]), st.integers(0, 6))
def test_usage_and_end_may_come_in_any_order(order: list[int], end_at: int) -> None:
    books = new_books()
    apply(books, requested(ORG, JOB))
    lines: list[Event] = [used(ORG, JOB, quantity=2 + index, usage_id=USAGE[index]) for index in order]
    lines.insert(end_at, completed(ORG, JOB, USAGE[:6]))
    apply(books, *lines)
    assert books.holds[JOB].state == "released"
    assert books.ledger.balance("kai_credits", "used") == 27
    assert books.ledger.balance("kai_credits", "held") == 0
    assert_sound(books)
