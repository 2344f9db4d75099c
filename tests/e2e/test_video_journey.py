"""From a brief to files, money and news, as a user sees it."""

import hashlib

from tests.e2e.frames import probe
from tests.support.people import Person
from tests.support.receiver import Receiver


async def test_a_brief_becomes_a_video_its_files_its_bill_and_its_news(person: Person, receiver: Receiver) -> None:
    hook = await person.post("/webhooks", {"url": receiver.url, "events": ["*"]})
    secret = hook.json()["secret"]

    job_id = await person.make_video()
    job = await person.until_job(job_id)

    assert job["error"] is None
    assert (job["status"], job["progress"]) == ("completed", 100)
    files = {output["name"]: (await person.http.get(output["url"])).content for output in job["outputs"]}
    assert set(files) == {"video", "thumbnail", "srt", "vtt", "script"}
    for output in job["outputs"]:
        assert hashlib.sha256(files[output["name"]]).hexdigest() == output["sha256"]
    film = probe(files["video"])
    assert (film.width, film.height, film.fps) == (720, 1280, 30)
    assert film.audio
    assert b"-->" in files["srt"]
    assert files["vtt"].startswith(b"WEBVTT")

    done = await receiver.until("job.completed")
    assert done.signed_by(secret)
    assert done.event["data"]["job_id"] == job_id
    await receiver.until("render.succeeded")
    assert set(receiver.ids_per_event().values()) == {1}

    await books_are_closed(person, job_id)


async def books_are_closed(person: Person, job_id: str) -> dict[str, int]:
    """Nothing is held any more, what was captured is what the manifest lists; answers the captured units."""
    from tests.conftest import until

    async def released() -> bool:
        balances = (await person.get("/tokens/balance"))["balances"]
        return all(unit["held"] == 0 for unit in balances.values())

    await until(released)
    lines = (await person.get("/tokens/history", job_id=job_id, limit=100))["data"]
    captured: dict[str, int] = {}
    for line in lines:
        if line["kind"] == "capture":
            captured[line["unit"]] = captured.get(line["unit"], 0) + abs(line["quantity"])
    manifest = await person.get(f"/jobs/{job_id}/manifest")
    assert manifest["usage"] == captured
    return captured


async def test_the_manifest_tells_where_every_part_comes_from(person: Person) -> None:
    job_id = await person.make_video()
    await person.until_job(job_id)

    manifest = await person.get(f"/jobs/{job_id}/manifest")

    parts = {part["step_key"]: part for part in manifest["parts"]}
    picture = parts["image[s1]"]["assets"][0]
    assert picture["lineage"]["provider"] == "local"
    assert picture["lineage"]["model"] == "local-pictures"
    assert len(picture["sha256"]) == 64
    assert parts["render"]["cost"]["amount_micros"] > 0
    assert parts["voice[s1]"]["cost"]["amount_micros"] == 0
    assert manifest["inputs"]["brief"]["points"] == ["The universe has an age."]


async def test_a_given_script_is_spoken_word_for_word(person: Person) -> None:
    script = {"title": "Two facts", "segments": [{"content": "Octopuses have three hearts."}]}
    answer = await person.post(
        "/jobs",
        {"script": script, "settings": {"image": {"width": 432, "height": 768}}, "output": {"resolution": "720p"}},
    )
    assert answer.status_code == 202, answer.text

    job = await person.until_job(answer.json()["id"])

    assert job["status"] == "completed", job["error"]
    subtitles = next(output["url"] for output in job["outputs"] if output["name"] == "srt")
    words = (await person.http.get(subtitles)).text.replace("\n", " ")
    assert "Octopuses have three hearts." in words
    assert "script" not in {
        line["step_key"] for line in (await person.get(f"/jobs/{job['id']}/manifest"))["parts"] if line["usage"]
    }


async def test_one_job_makes_a_film_for_every_aspect(person: Person) -> None:
    script = {"title": "Two facts", "segments": [{"content": "Octopuses have three hearts."}]}
    output = {"aspects": ["16:9", "1:1"], "resolution": "540p"}
    settings = {"image": {"width": 512, "height": 512}}
    answer = await person.post("/jobs", {"script": script, "settings": settings, "output": output})
    assert answer.status_code == 202, answer.text

    job = await person.until_job(answer.json()["id"])

    assert job["status"] == "completed", job["error"]
    videos = [line for line in job["outputs"] if line["name"] == "video"]
    films = [probe((await person.http.get(line["url"])).content) for line in videos]
    assert [line["aspect"] for line in videos] == ["16:9", "1:1"]
    assert [(film.width, film.height) for film in films] == [(960, 540), (540, 540)]
    assert job["video_url"].split("?")[0] == videos[0]["url"].split("?")[0]
    captured = await books_are_closed(person, job["id"])
    library = (await person.get("/assets", job_id=job["id"], type="video"))["data"]
    assert {asset["id"] for asset in library} == {line["asset_id"] for line in videos}
    assert captured["render_seconds"] >= 2 * int(library[0]["duration_seconds"])


async def test_what_was_rendered_and_paid_for_is_not_made_again(person: Person) -> None:
    script = {"title": "Two facts", "segments": [{"content": "Octopuses have three hearts."}]}
    order = {"script": script, "settings": {"image": {"width": 432, "height": 768}}, "reuse": "none"}
    order["output"] = {"resolution": "540p"}
    bills, films = [], []
    for _ in range(2):
        answer = await person.post("/jobs", order)
        job = await person.until_job(answer.json()["id"])
        assert job["status"] == "completed", job["error"]
        bills.append(await books_are_closed(person, job["id"]))
        films += [line["sha256"] for line in job["outputs"] if line["name"] == "video"]

    assert films[0] == films[1]
    assert bills[0]["render_seconds"] > 0
    assert "render_seconds" not in bills[1]


async def test_a_graph_of_ones_own_makes_a_picture(person: Person) -> None:
    graph = {
        "nodes": [
            {
                "id": "image",
                "type": "Input.KAI.GenerateImage",
                "params": {"prompt": "a lake at dawn", "width": 256, "height": 256, "seed": 7},
            }
        ],
        "outputs": {"image": "image.image"},
    }
    answer = await person.post("/jobs", {"workflow": graph})
    assert answer.status_code == 202, answer.text

    job = await person.until_job(answer.json()["id"])

    assert job["status"] == "completed", job["error"]
    picture = await person.http.get(job["image_url"])
    assert picture.status_code == 200
    assert picture.headers["content-type"].startswith("image/")
    library = await person.get("/assets", job_id=job["id"])
    assert [asset["type"] for asset in library["data"]] == ["image"]


async def test_a_job_that_ended_can_be_hidden(person: Person) -> None:
    job_id = await person.make_video()
    assert (await person.http.delete(f"/v1/jobs/{job_id}", headers=person.headers)).status_code == 409
    await person.post(f"/jobs/{job_id}/cancel")
    await person.until_job(job_id)

    for _ in range(2):
        assert (await person.http.delete(f"/v1/jobs/{job_id}", headers=person.headers)).status_code in (204, 404)
    assert (await person.http.get(f"/v1/jobs/{job_id}", headers=person.headers)).status_code == 404
