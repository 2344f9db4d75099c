"""Pure rules of the contracts: ids, digests, references, ports, units, routes, topics."""

import time
import uuid
from importlib import import_module
from inspect import signature
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenta.contracts import ids, models, nodes, references, units, voices
from fenta.contracts.digest import canonical_json, digest_of
from fenta.contracts.documents import Script, Segment, decode, encode, items_of
from fenta.contracts.events import EVENTS
from fenta.contracts.routes import owner_of
from fenta.contracts.topics import SERVICES, TOPICS, consumed_by

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_new_ids_are_in_the_order_of_time() -> None:
    before = time.time_ns() // 1_000_000
    made = [ids.uuid7() for _ in range(50)]
    moments = [identifier.int >> 80 for identifier in made]

    assert {(identifier.version, identifier.variant) for identifier in made} == {(7, uuid.RFC_4122)}
    assert [before, *moments, time.time_ns() // 1_000_000] == sorted([before, *moments, time.time_ns() // 1_000_000])
    assert len(set(made)) == 50


def test_a_derived_id_is_the_same_every_time_and_differs_by_name() -> None:
    job = ids.new_id("job")

    assert ids.step_id(job, "image[s1]") == ids.step_id(job, "image[s1]")
    assert ids.step_id(job, "image[s1]") != ids.step_id(job, "image[s2]")
    assert uuid.UUID(ids.step_id(job, "x").removeprefix("step_")).version == 5


@pytest.mark.parametrize("text", ["", "job_", "job_1", "JOB_019fdfca-e24b-79f7-af79-70264164d839", "1-2"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an id"):
        ids.uuid_of(text)


@given(json_values)
def test_equal_values_have_equal_digests(value: object) -> None:
    import json

    again = json.loads(json.dumps(value))

    assert digest_of(value) == digest_of(again)


def test_whole_floats_and_integers_are_the_same_parameter() -> None:
    assert canonical_json({"speed": 1.0}) == canonical_json({"speed": 1})
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_references_resolve_whole_values_and_texts_once() -> None:
    scope = {"inputs": {"topic": "{{inputs.secret}}", "n": 3, "secret": "no"}}
    roots = frozenset({"inputs"})

    params = {"a": {"$ref": "inputs.n"}, "b": "x {{inputs.topic}} {{ports.scene.prompt}}", "c": [{"$ref": "inputs.n"}]}
    resolved = references.resolve(params, scope, roots)

    assert resolved == {"a": 3, "b": "x {{inputs.secret}} {{ports.scene.prompt}}", "c": [3]}


def test_a_whole_reference_that_leads_nowhere_is_refused_a_text_becomes_empty() -> None:
    roots = frozenset({"inputs"})

    assert references.resolve("a{{inputs.nothing}}b", {"inputs": {}}, roots) == "ab"
    with pytest.raises(references.Missing):
        references.resolve({"$ref": "inputs.nothing"}, {"inputs": {}}, roots)
    with pytest.raises(ValueError, match="grew beyond"):
        references.resolve("{{inputs.long}}", {"inputs": {"long": "x" * 9000}}, roots)


@pytest.mark.parametrize(
    ("given_type", "wanted", "fits"),
    [
        ("image", "visual", True),
        ("scene", "text", True),
        ("music", "audio", True),
        ("speech", "music", False),
        ("script", "storyboard", False),
        ("timeline", "any", True),
        ("text", "brief", False),
    ],
)
def test_ports_take_their_own_type_and_what_also_fits(given_type: str, wanted: str, fits: bool) -> None:
    assert nodes.fits(given_type, wanted) is fits


def test_every_node_names_an_executor_that_is_a_service_and_defaults_that_are_valid() -> None:
    for node in nodes.CATALOGUE.values():
        assert node.executor in SERVICES
        required = {name for name, field in node.params.model_fields.items() if field.is_required()}
        assert required <= {"asset_ids"}
        assert not (node.capability and "model" not in node.params.model_fields)


def test_auto_is_frozen_into_the_catalogues_chain() -> None:
    assert models.chain("image", ["auto", "local-pictures"]) == ["local-pictures"]
    with pytest.raises(KeyError):
        models.chain("image", ["local-writer"])


@given(seconds=st.integers(5, 600), facts=st.integers(0, 6000))
def test_bounds_are_bounds(seconds: int, facts: int) -> None:
    size = units.size_of_brief(seconds=seconds, facts=facts, max_segments=None)

    for low, high in (units.script_tokens(size), units.storyboard_tokens(size), units.render_bounds(size, "1080p")):
        assert all(low[unit] <= high[unit] for unit in low)
    assert size.characters_low <= size.characters_high


def test_a_scripts_scenes_are_hook_segments_and_outro() -> None:
    script = Script(title="t", hook="Why?", segments=[Segment(id="s1", content="Because.")], outro="So.", cta="Go.")

    assert [(scene.key, scene.narration) for scene in script.scenes()] == [
        ("hook", "Why?"),
        ("s1", "Because."),
        ("outro", "So. Go."),
    ]
    assert decode("script", encode(script)) == script
    assert [item.characters for item in items_of(script) or []] == [4, 8, 7]


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/v1/jobs", "workflow"),
        ("/v1/jobs/job_1/events", "workflow"),
        ("/v1/jobsx", None),
        ("/v1/webhooks/deliveries/d", "notifier"),
        ("/elsewhere", None),
    ],
)
def test_a_path_belongs_to_the_service_of_its_prefix(path: str, owner: str | None) -> None:
    assert owner_of(path) == owner


@pytest.mark.parametrize("service", SERVICES)
def test_every_consumer_in_the_table_does_consume(service: str) -> None:
    handlers = import_module(f"fenta.{service}.handlers")
    found = set()
    for name in ("routes", "live_routes"):
        if make := getattr(handlers, name, None):
            parts = [MagicMock()] * len(signature(make).parameters)
            found |= {event.topic for route in make(*parts) for event in route.events}

    assert found == {topic.name for lossy in (False, True) for topic in consumed_by(service, lossy=lossy)}


def test_every_event_has_a_topic_and_every_topic_an_event() -> None:
    assert {event.topic for event in EVENTS.values()} == set(TOPICS)
    assert all(topic.producers for topic in TOPICS.values())


@pytest.mark.parametrize(
    ("tag", "language"), [("pt-BR", "pt"), ("ar-MA", "ary"), ("EN", "en"), ("xx", None), ("", None)]
)
def test_language_tags_are_understood(tag: str, language: str | None) -> None:
    assert voices.known_language(tag) == language
