"""The log of one partition: order, torn tails, segments, retention, resent batches."""

from pathlib import Path

import pytest

from fenta.embedded.broker.batch import HEADER
from fenta.embedded.broker.errors import Code, Refused
from fenta.embedded.broker.log import Log
from fenta.embedded.broker.offsets import Committed, Offsets, Position
from fenta.embedded.broker.settings import TopicSettings
from fenta.embedded.broker.topics import Topics
from tests.support.records import batch


def opened(folder: Path, **settings: int) -> Log:
    return Log(folder / "0", TopicSettings(**settings))


def refusal(log: Log, data: bytes) -> Code:
    with pytest.raises(Refused) as refused:
        log.append(data)
    return refused.value.code


def test_offsets_count_records_over_segments_and_restarts(tmp_path: Path) -> None:
    log = opened(tmp_path, segment_bytes=200)
    assert [log.append(batch(b"a", b"b" * 50)) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert len(log.segments) > 1
    log.close()
    again = opened(tmp_path)
    assert (again.start_offset, again.end_offset) == (0, 10)
    assert again.append(batch(b"c")) == 10
    assert HEADER.unpack_from(again.read(5, 1 << 20))[0] == 4
    again.close()


@pytest.mark.parametrize("torn", ["half a header", "half a batch", "zeros", "wrong bytes"])
def test_a_torn_tail_is_cut_off(tmp_path: Path, torn: str) -> None:
    log = opened(tmp_path)
    for _ in range(3):
        log.append(batch(b"kept"))
    log.close()
    file = next((tmp_path / "0").glob("*.log"))
    size = file.stat().st_size // 3
    tail = bytearray(file.read_bytes()[-size:])
    tail[0:8] = (3).to_bytes(8, "big")
    tail[-1] ^= 0xFF
    with file.open("ab") as handle:
        handle.write({"half a header": tail[:30], "half a batch": tail[:-5], "zeros": bytes(500)}.get(torn, tail))
    again = opened(tmp_path)
    assert again.end_offset == 3
    assert again.append(batch(b"next")) == 3
    again.close()
    assert file.stat().st_size == 4 * size


def test_a_resent_batch_is_stored_once_even_after_a_restart(tmp_path: Path) -> None:
    log = opened(tmp_path)
    sent = [batch(b"x", b"y", producer=7, epoch=0, sequence=2 * number) for number in range(4)]
    assert [log.append(data) for data in sent] == [0, 2, 4, 6]
    assert [log.append(data) for data in sent] == [0, 2, 4, 6]
    log.close()
    again = opened(tmp_path)
    assert [again.append(data) for data in sent] == [0, 2, 4, 6]
    assert refusal(again, batch(b"z", producer=7, epoch=0, sequence=9)) is Code.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert again.append(batch(b"z", producer=7, epoch=0, sequence=8)) == 8
    assert again.append(batch(b"z", producer=7, epoch=1, sequence=0)) == 9
    assert refusal(again, batch(b"z", producer=7, epoch=0, sequence=9)) is Code.INVALID_PRODUCER_EPOCH
    again.close()


def test_a_batch_from_long_ago_is_a_duplicate_not_a_gap(tmp_path: Path) -> None:
    log = opened(tmp_path)
    sent = [batch(b"x", producer=7, epoch=0, sequence=number) for number in range(8)]
    for data in sent:
        log.append(data)
    assert refusal(log, sent[0]) is Code.DUPLICATE_SEQUENCE_NUMBER
    log.close()


def test_what_is_no_sound_batch_is_refused(tmp_path: Path) -> None:
    log = opened(tmp_path, max_message_bytes=500)
    broken = bytearray(batch(b"x"))
    broken[-1] ^= 1
    assert refusal(log, b"") is Code.CORRUPT_MESSAGE
    assert refusal(log, bytes(broken)) is Code.CORRUPT_MESSAGE
    assert refusal(log, batch(b"x") * 2) is Code.INVALID_RECORD
    assert refusal(log, batch(b"x", transactional=True)) is Code.INVALID_RECORD
    assert refusal(log, batch(b"x" * 600)) is Code.MESSAGE_TOO_LARGE
    assert refusal(log, bytes(broken[:16]) + b"\x01" + bytes(broken[17:])) is Code.UNSUPPORTED_FOR_MESSAGE_FORMAT
    assert log.end_offset == 0
    log.close()


def test_old_segments_go_by_age_and_offsets_go_on(tmp_path: Path) -> None:
    log = opened(tmp_path, retention_ms=10_000, segment_bytes=100)
    for second in range(4):
        log.append(batch(b"x" * 60, time_ms=second * 5000))
    assert log.enforce_retention(now_ms=16_000) == 2
    assert (log.start_offset, log.end_offset) == (2, 4)
    assert log.enforce_retention(now_ms=60_000) == 2
    assert (log.start_offset, log.end_offset) == (4, 4)
    with pytest.raises(Refused):
        log.read(3, 100)
    log.close()
    again = opened(tmp_path)
    assert again.append(batch(b"next")) == 4
    again.close()


def test_old_segments_go_by_size(tmp_path: Path) -> None:
    log = opened(tmp_path, retention_ms=-1, retention_bytes=500, segment_bytes=100)
    for _ in range(10):
        log.append(batch(b"x" * 60))
    log.enforce_retention(now_ms=1000)
    assert 500 <= log.size < 700
    log.close()


def test_a_half_made_topic_is_gone_after_a_restart(tmp_path: Path) -> None:
    topics = Topics(tmp_path)
    topics.create("whole", 2, {"retention.ms": "5"})
    (tmp_path / "half" / "0").mkdir(parents=True)
    topics.close()
    again = Topics(tmp_path)
    assert set(again.by_name) == {"whole"}
    assert again.get("whole").settings.retention_ms == 5
    again.close()


def test_commits_survive_a_torn_line_and_are_compacted(tmp_path: Path) -> None:
    path = tmp_path / "offsets"
    offsets = Offsets(path)
    for number in range(100):
        offsets.commit({Position("g", "t", 0): Committed(number, None)})
    offsets.close()
    with path.open("ab") as file:
        file.write(b'["g", "t", 0, 1')
    again = Offsets(path)
    assert again.of_group("g") == {("t", 0): Committed(99, None)}
    assert len(path.read_text().splitlines()) == 1
    again.close()


def test_a_segment_ends_with_the_age_of_its_records_not_with_todays_date(tmp_path: Path) -> None:
    log = opened(tmp_path, segment_ms=10_000)
    for time_ms in (1000, 2000, 11_000, 11_001, 12_000):
        log.append(batch(b"x", time_ms=time_ms))
    assert [segment.base_offset for segment in log.segments] == [0, 3]
    log.close()


def test_deleted_records_are_gone_after_a_restart_and_their_segments_from_the_disk(tmp_path: Path) -> None:
    log = opened(tmp_path, segment_bytes=100)
    for number in range(4):
        log.append(batch(b"x" * 60, time_ms=number * 1000))
    assert log.delete_before(2) == 2
    assert [segment.base_offset for segment in log.segments] == [2, 3]
    with pytest.raises(Refused):
        log.delete_before(1)
    assert log.find_time(0) == (2, 2000)
    log.delete_before(4)
    log.close()
    again = opened(tmp_path)
    assert (again.start_offset, again.end_offset) == (4, 4)
    assert again.append(batch(b"next")) == 4
    again.close()
