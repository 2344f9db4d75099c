"""The topics on disk: `topics/<name>/topic.json` and a folder of segments per partition."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from fenta.embedded.processes import write_atomically

from .errors import Code, Refused
from .log import Log
from .settings import TopicSettings

LEGAL_NAME = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]{1,249}\Z")
MOST_PARTITIONS = 1000


class Topic:
    """A name, its settings, its partitions."""

    def __init__(self, folder: Path, settings: TopicSettings, partitions: int) -> None:
        self.folder = folder
        self.settings = settings
        self.logs = [Log(folder / str(index), settings) for index in range(partitions)]

    @property
    def name(self) -> str:
        return self.folder.name

    def apply(self, settings: TopicSettings) -> None:
        self.settings = settings
        for log in self.logs:
            log.settings = settings
        self.save()

    def grow(self, partitions: int) -> None:
        self.logs += [Log(self.folder / str(index), self.settings) for index in range(len(self.logs), partitions)]
        self.save()

    def save(self) -> None:
        note = {"partitions": len(self.logs), "settings": asdict(self.settings)}
        write_atomically(self.folder / "topic.json", json.dumps(note))

    def close(self) -> None:
        for log in self.logs:
            log.close()


class Topics:
    """All topics of one broker."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.by_name = {topic.name: topic for topic in map(self._load, self._finished_folders())}

    def _finished_folders(self) -> Iterator[Path]:
        """A folder without its note was being made or deleted when the broker died."""
        for folder in sorted(self.root.iterdir()):
            if (folder / "topic.json").exists():
                yield folder
            else:
                shutil.rmtree(folder)

    def _load(self, folder: Path) -> Topic:
        note = json.loads((folder / "topic.json").read_text())
        return Topic(folder, TopicSettings(**note["settings"]), note["partitions"])

    def logs(self) -> Iterator[Log]:
        for topic in self.by_name.values():
            yield from topic.logs

    def get(self, name: str) -> Topic:
        if name not in self.by_name:
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
        return self.by_name[name]

    def log(self, name: str, partition: int) -> Log:
        topic = self.get(name)
        if not 0 <= partition < len(topic.logs):
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION)
        return topic.logs[partition]

    def check_name(self, name: str) -> None:
        """Refused if no topic can be made under that name, however it is asked for."""
        if not LEGAL_NAME.match(name):
            raise Refused(Code.INVALID_TOPIC, "a topic name is 1 to 249 letters, digits, dots, dashes, underscores")
        if name in self.by_name:
            raise Refused(Code.TOPIC_ALREADY_EXISTS, f"topic {name} exists")

    def check_new(self, name: str, partitions: int, configs: Mapping[str, str | None]) -> TopicSettings:
        """What a topic of that kind would be set to; Refused if it cannot be made."""
        self.check_name(name)
        if not 1 <= partitions <= MOST_PARTITIONS:
            raise Refused(Code.INVALID_PARTITIONS, f"a topic has 1 to {MOST_PARTITIONS} partitions")
        return TopicSettings().changed(configs)

    def create(self, name: str, partitions: int, configs: Mapping[str, str | None]) -> Topic:
        settings = self.check_new(name, partitions, configs)
        topic = Topic(self.root / name, settings, partitions)
        topic.save()
        self.by_name[name] = topic
        return topic

    def delete(self, name: str) -> None:
        topic = self.get(name)
        del self.by_name[name]
        topic.close()
        (topic.folder / "topic.json").unlink()
        shutil.rmtree(topic.folder)

    def close(self) -> None:
        for topic in self.by_name.values():
            topic.close()
