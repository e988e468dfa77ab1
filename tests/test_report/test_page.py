import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import kdbench.report
from kdbench.report import page, payload, read_runs
from kdbench.report.page import SCRIPTS, STYLES, embedded
from tests.report_runs import write_run

HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    '"><img src=x onerror="window.hacked = 3">',
    "' onmouseover='window.hacked = 4",
    "javascript:window.hacked=5",
    "{{ 7 * 7 }}{% raw %}",
    "\u2028window.hacked = 6\u2029",
    "<!--<script>",
    "]]>&lt;b&gt;",
]


def parsed(text):
    """The names of all elements, and all their attributes."""
    tags, found = set(), []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.add(tag)
            found.extend((name, value or "") for name, value in attrs)

    Reader().feed(text)
    return tags, found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A page of runs each of whose texts is meant to break it."""
    folder = tmp_path_factory.mktemp("runs")
    for place, text in enumerate(HOSTILE):
        for seed in range(3):
            write_run(
                folder / str(place), "kd/a", seed, row=f"{text}/{text}", data__name=text, data__protocol=text,
                data__labels=text, config__parts={"student": text, "teacher": text, "distiller": text},
                config__path=text, repro__command=text, metrics={text: 50.0, f"view_0/{text}": 40.0}, primary=text,
                environment__device_name=text, flags={"unreliable": True, "reason": text},
            )  # fmt: skip
        write_run(folder / str(place), "kd/b", 0, status="diverged", reason=text)
    return page(payload(read_runs([folder])))


def test_no_text_becomes_markup(hostile):
    assert len(re.findall(r"<script", hostile)) == 2
    assert len(re.findall(r"</script", hostile)) == 2
    tags, attributes = parsed(hostile)
    assert not tags & {"img", "iframe", "object", "base"}
    assert not [name for name, _ in attributes if name.startswith("on")]
    assert not [value for name, value in attributes if name in ("href", "src") and not value.startswith("#")]
    assert "\u2028" not in hostile.partition('id="data">')[2]
    assert "49" not in re.findall(r"<h2[^>]*>.*?</h2>", hostile, flags=re.S)[0]


def test_the_data_come_back_as_they_were(hostile):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', hostile, re.S)[1]
    assert {table["dataset"] for table in json.loads(text)["tables"]} == set(HOSTILE)


def test_the_policy_admits_this_script_and_these_styles_and_nothing_else(hostile):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', hostile)[1].replace(
        "&#39;", "'"
    )
    script = re.findall(r"<script>(.*?)</script>", hostile, re.S)[0]
    style = re.search(r"<style>(.*?)</style>", hostile, re.S)[1]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{digests[0]}'",
        f"style-src 'sha256-{digests[1]}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert " style=" not in hostile.replace(script, "")


def test_nothing_is_fetched(hostile):
    tags, attributes = parsed(hostile)
    assert not tags & {"link", "img", "audio", "video", "source"}
    assert not [name for name, _ in attributes if name == "src"]
    style = re.search(r"<style>(.*?)</style>", hostile, re.S)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_the_same_runs_give_the_same_bytes(tmp_path):
    for seed in range(3):
        write_run(tmp_path, "kd/a", seed)
    assert page(payload(read_runs([tmp_path]))) == page(payload(read_runs([tmp_path])))


def test_numbers_that_are_none_are_dashes(tmp_path):
    for seed in range(3):
        write_run(tmp_path, "kd/a", seed, metrics__ECE=float("nan"), train=None)
    text = page(payload(read_runs([tmp_path])))
    assert "NaN" not in embedded(payload(read_runs([tmp_path])))
    assert '<td class="num">–</td>' in text


def test_a_name_that_has_no_bytes(tmp_path):
    write_run(tmp_path, "kd/a", 0, data__name="half \ud800 pair")
    page(payload(read_runs([tmp_path]))).encode()


def test_an_empty_board(tmp_path):
    assert "0 rows, 0 runs" in page(payload([]))


def test_every_static_file_is_in_the_page_and_in_the_package():
    folder = Path(kdbench.report.__file__).parent
    files = {path.name for path in (folder / "static").iterdir()}
    assert files == {f"{name}.js" for name in SCRIPTS} | {f"{name}.css" for name in STYLES}
    setup = (folder.parents[1] / "setup.py").read_text(encoding="utf-8")
    patterns = re.search(r'package_data=\{"kdbench.report": \[(.*?)\]', setup)[1].replace('"', "").split(", ")
    packed = {path for pattern in patterns for path in folder.glob(pattern)}
    assert packed == {path for part in ("static", "templates") for path in (folder / part).iterdir()}
