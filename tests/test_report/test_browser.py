"""The page in a real browser: what a reader can do with it, and what a hostile name cannot."""

import shutil
from urllib.parse import quote

import pytest

from kdbench.report import page, payload, read_runs
from kdbench.report.latency import Latencies
from tests.report_runs import write_run
from tests.test_report.test_page import hostile  # noqa: F401  (a fixture)

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MILLISECONDS = 300_000  # a busy machine takes a minute to load a page that costs a second


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is found")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"], timeout=MILLISECONDS
        )
        yield started
        started.close()


class Opened:
    """A page, and everything that it asked for or complained of."""

    def __init__(self, browser, file):
        self.requests, self.answered, self.complaints, self.file = [], [], [], file
        self.page = browser.new_page(viewport={"width": 1400, "height": 900})
        self.page.set_default_timeout(MILLISECONDS)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfinished", lambda request: self.answered.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(file.as_uri())

    def go(self, address):
        self.page.evaluate("address => { location.hash = address; }", address)
        self.page.wait_for_function(f"location.hash === {address!r}")
        self.page.evaluate("() => new Promise(requestAnimationFrame)")

    def address(self):
        return self.page.evaluate("location.hash")

    def names(self):
        """The rows that are shown, from above."""
        return self.page.locator("tr[data-row]:visible th a").all_inner_texts()


def opened(browser, file, text):
    file.write_text(text, encoding="utf-8")
    return Opened(browser, file)


METHODS = {"kd": 84.0, "at": 90.0, "sp": 70.0}


@pytest.fixture(scope="module")
def board(browser, tmp_path_factory):
    """Three methods on two data sets, one of them with a longer training, and a row of one seed."""
    folder = tmp_path_factory.mktemp("board")
    for data in ("Waves", "Rooms"):
        for seed in range(3):
            for size, score in (("large", 95.0), ("small", 80.0)):
                write_run(
                    folder / "runs", f"baseline/{data}_{size}", seed, data__name=data, accuracy=score / 100,
                    config__parts={"data": "toy", "student": size},
                    metrics={"top1": score + seed, "view_0/top1": score - 20},
                )  # fmt: skip
            for method, score in METHODS.items():
                write_run(
                    folder / "runs", f"{method}/{data}", seed, data__name=data, metrics__top1=score + seed,
                    accuracy=score / 100, epochs=12 if method == "sp" else 6,
                    teacher=folder / "runs/baseline" / f"{data}_large" / f"seed{seed}",
                )  # fmt: skip
    write_run(folder / "runs", "crd/Waves", 0, data__name="Waves", metrics__top1=99.0)
    latencies = Latencies({("toy", "small", 298_027): 1.25}, "by the clock on the wall")
    tree = payload(read_runs([folder / "runs"]), latencies=latencies)
    return opened(browser, folder / "report.html", page(tree))


def test_the_page_opens_from_disk_and_asks_for_nothing_else(board):
    assert board.page.title() == "kdbench leaderboard"
    for view in ("tables", "cost", "curves", "heat", "calibration", "ranks", "row/0", "run/0"):
        board.go(f"#/{view}")
    assert board.requests == [board.file.as_uri()]
    assert board.complaints == []


def test_filters_narrow_the_tables_and_stand_in_the_address(board):
    board.go("#/tables")
    assert len(board.names()) == 11
    board.page.select_option("select[name=data]", "Waves")
    board.page.check("input[name=hide]")
    board.page.fill("input[name=q]", "large SP")
    assert board.names() == ["sp"]
    assert board.address() == "#/tables?data=Waves&q=large+SP&hide=1"
    assert board.page.inner_text("#shown") == "1 of 11 rows"
    board.page.fill("input[name=q]", "nothing of that name")
    assert board.page.inner_text("#nothing") == "No row fits these filters."
    board.page.click("#clear")
    assert board.address() == "#/tables"
    assert len(board.names()) == 11


def test_an_address_brings_the_same_page_back(board):
    board.go("#/tables?data=Rooms&student=small&q=d&sort=mean.asc")
    assert board.page.input_value("select[name=data]") == "Rooms"
    assert board.page.input_value("input[name=q]") == "d"
    assert board.page.locator("th[data-key=mean]:visible").get_attribute("aria-sort") == "ascending"
    assert board.page.get_attribute("#views a[data-view=cost]", "href").startswith("#/cost?data=Rooms")


def test_a_column_sorts_by_keyboard_within_budgets(board):
    board.go("#/tables?data=Rooms")
    assert board.names() == ["teacher", "at", "kd", "alone", "sp"]
    header = board.page.locator("th[data-key=mean]:visible")
    header.locator("button").focus()
    board.page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert board.names() == ["teacher", "at", "kd", "alone", "sp"]
    board.page.keyboard.press("Space")
    assert header.get_attribute("aria-sort") == "ascending"
    assert board.names() == ["alone", "kd", "at", "teacher", "sp"]
    board.page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "none"
    assert board.address() == "#/tables?data=Rooms"


def test_budgets_are_ranked_together_only_when_asked(board):
    board.go("#/tables?data=Rooms")
    ranks = board.page.locator("tr[data-row]:visible td.rank")
    assert ranks.all_inner_texts() == ["1", "2", "3", "4", "1"]
    assert board.page.locator(".other:visible").count() == 0
    board.page.check("input[name=across]")
    assert board.names() == ["teacher", "at", "kd", "alone", "sp"]
    assert ranks.all_inner_texts() == ["1", "2", "3", "4", "5"]
    assert board.page.locator(".other:visible").all_inner_texts() == ["12 epochs, not 6"]


def test_an_unreliable_row_is_grey_and_says_why(board):
    board.go("#/tables?data=Waves")
    row = board.page.locator("tr.unreliable:visible")
    assert "fewer than 3 seeds" in row.inner_text()
    assert row.locator("td.rank").inner_text() == "–"
    colour = "node => getComputedStyle(node).color"
    assert row.locator("b").evaluate(colour) != board.page.locator("tr.distilled:visible b").first.evaluate(
        colour
    )


def test_points_are_reached_and_read_by_keyboard(board):
    board.go("#/cost?data=Rooms")
    points = board.page.locator("a.point")
    assert points.count() == 5
    points.first.focus()
    said = board.page.inner_text(".spoken")
    assert said == points.first.get_attribute("aria-label")
    assert "CPU seconds of training" in said
    board.page.keyboard.press("Tab")
    assert board.page.inner_text(".spoken") == points.nth(1).get_attribute("aria-label") != said
    board.page.keyboard.press("Enter")
    board.page.wait_for_selector(".page-title")
    assert board.address().startswith("#/row/")
    assert board.page.evaluate("document.activeElement.className") == "page-title"


def test_measured_latency_is_a_cost_and_says_how_it_was_measured(board):
    board.go("#/cost?data=Waves&cost=latency")
    assert "Latency: by the clock on the wall." in board.page.inner_text("#view-made")
    assert board.page.locator("a.point").count() == 5  # all but the large network, which nobody measured
    assert "milliseconds of one clip" in board.page.locator("a.point").first.get_attribute("aria-label")


def test_each_view_has_its_figures_and_their_text(board):
    board.go("#/curves?data=Rooms")
    assert board.page.locator("path.series.s0").count() >= 1
    boxes = board.page.locator(".legend input")
    assert boxes.count() == 5
    lines = board.page.locator("svg.chart path.series:not(.band)")
    assert lines.count() == 5
    boxes.first.uncheck()
    assert lines.count() == 4
    board.go("#/heat?data=Rooms")
    assert board.page.locator("table.heat").count() == 2
    assert board.page.locator("table.heat").last.locator("thead").inner_text().split() == ["Row", "view", "0"]
    board.go("#/calibration?data=Rooms")
    assert board.page.locator(".reliability").count() == 5
    assert "agreement" in board.page.locator(".small-multiples").inner_text()
    board.go("#/ranks")
    assert "Too few blocks" in board.page.inner_text("#view-made")


def test_a_run_has_its_command_environment_and_config(board):
    board.go("#/tables?data=Rooms&q=sp")
    board.page.locator("tr[data-row]:visible th a").click()
    board.page.locator("#view-made tbody a").nth(2).click()
    board.page.locator(".page-title", has_text="sp/Rooms · seed 2").wait_for()
    text = board.page.inner_text("#view-made")
    for expected in (
        "sp/Rooms · seed 2",
        "--seed 2",
        "environment",
        "2.13.0",
        "git_commit",
        "type='Distillation'",
    ):
        assert expected.lower() in text.lower()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_every_view_without_sideways_scrolling(board, scheme):
    board.page.set_viewport_size({"width": 360, "height": 740})
    board.page.emulate_media(color_scheme=scheme)
    try:
        for view in (
            "tables",
            "tables?across=1",
            "cost",
            "curves",
            "heat",
            "calibration",
            "ranks",
            "row/4",
            "run/0",
        ):
            board.go(f"#/{view}")
            assert board.page.evaluate("document.documentElement.scrollWidth") <= 360, view
    finally:
        board.page.set_viewport_size({"width": 1400, "height": 900})
        board.page.emulate_media(color_scheme="light")


def test_the_theme_can_be_chosen(board):
    paper = "getComputedStyle(document.body).backgroundColor"
    light = board.page.evaluate(paper)
    board.page.click("#theme")
    board.page.click("#theme")
    assert board.page.get_attribute("#theme", "aria-label") == "Theme: dark"
    assert board.page.evaluate(paper) != light
    board.page.click("#theme")
    assert board.page.evaluate(paper) == light


def test_no_script_of_a_name_runs(browser, hostile, tmp_path):  # noqa: F811
    shown = opened(browser, tmp_path / "hostile.html", hostile)
    rows = shown.page.locator("tr[data-row]").count()
    views = ["tables", "cost", "curves", "heat", "calibration", "ranks"]
    views += [f"row/{place}" for place in range(rows)] + [f"run/{place}" for place in range(0, 36, 3)]
    for view in views:
        shown.go(f"#/{view}")
    for text in ('"><script>window.hacked=7</script>', "javascript:window.hacked=8"):
        shown.go(f"#/tables?data={quote(text)}&sort={quote(text)}&q={quote(text)}")
    assert shown.page.evaluate("window.hacked") is None
    assert shown.page.locator("img, iframe").count() == 0
    assert shown.requests == [shown.file.as_uri()]
    assert shown.complaints == []


def test_the_policy_stops_what_would_get_through(browser, tmp_path):
    text = page(payload([])).replace(
        "<main", '<img src="x" onerror="window.hacked = 1"><script>window.hacked = 2</script><main'
    )
    shown = opened(browser, tmp_path / "broken.html", text)
    assert shown.page.evaluate("window.hacked") is None
    assert shown.answered == [shown.file.as_uri()]
    assert any("Content Security Policy" in complaint for complaint in shown.complaints)
