from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from harness.judged import Standing
from harness.report.html import html
from harness.report.markdown import markdown
from harness.report.matrix import matrix
from harness.tests.report import made
from harness.tests.report.browser import Page, browser


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("red")
    path = folder / "report.html"
    path.write_text(html(made.run(folder), run_file="reports/run.jsonl"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as page:
        page.look()
        yield page


@pytest.fixture(autouse=True)
def no_complaint(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does with the page, its console stays empty and nothing is asked of the network."""
    yield
    if "page" in request.fixturenames:
        page = request.getfixturevalue("page")
        assert page.errors == []


class Markup(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_else(page_path: Path) -> None:
    tags = Markup(page_path.read_text(encoding="utf-8")).tags
    asked = [attributes.get(name) for _, attributes in tags for name in ("src", "href", "action", "srcset", "data") if attributes.get(name)]
    assert asked
    assert [place for place in asked if not str(place).startswith(("#", "data:,"))] == []
    assert {tag for tag, _ in tags} & {"img", "iframe", "object", "embed", "form", "base"} == set()
    assert [attributes for _, attributes in tags if any(name.startswith("on") for name in attributes)] == []


def test_no_secret_reaches_the_page(page_path: Path) -> None:
    text = page_path.read_text(encoding="utf-8")
    assert made.SECRET not in text
    assert "[secret." in text


def test_a_hostile_target_makes_no_markup_and_runs_nothing(page: Page, page_path: Path) -> None:
    page.open(page_path)
    page.run("document.querySelectorAll('button.cell').forEach(cell => { if (cell.matches('.c-failed, .c-errored')) cell.click(); })")
    page.open(page_path, quote("messages/stream/order-kept"))
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("document.scripts.length") == 2
    shown = page.run("document.querySelector('#panel').textContent")
    assert '</script><img src=x onerror="alert(1)">\\x1b[31m|`**\\u202egnp.exe\\ud800 &lt; \\x00' in shown
    assert "\u202e" not in page.run("document.documentElement.textContent")


def test_every_cell_of_the_matrix_is_in_the_page_in_words(page: Page, page_path: Path) -> None:
    page.open(page_path)
    labels = page.run("[...document.querySelectorAll('button.cell')].map(cell => cell.getAttribute('aria-label'))")
    table = matrix(made.run(page_path.parent))
    assert sorted(labels) == sorted(f"{feature} on {model}: {cell.said()}" for (feature, model), cell in table.cells.items())
    untested = page.run("[...document.querySelectorAll('td span.cell')].map(cell => cell.textContent.trim())")
    assert len(untested) == len(table.features) * len(table.models) - len(labels)
    assert set(untested) == {"not tested"}


def test_untested_never_looks_like_passing(page: Page, page_path: Path) -> None:
    page.open(page_path)
    look = """(selector) => { const style = getComputedStyle(document.querySelector(selector));
        return [style.backgroundColor, style.borderTopStyle, style.color, style.fontStyle] }"""
    assert page.run(f"({look})('td span.cell.c-none')") != page.run(f"({look})('td .cell.c-passed')")
    assert page.run("document.querySelectorAll('td span.cell.c-none use').length") == 0


def test_a_cell_opens_by_keyboard_to_its_requirements_and_closes_again(page: Page, page_path: Path) -> None:
    page.open(page_path)
    page.run("document.querySelector('[aria-label^=\"messages/stream on claude-opus-4-7\"]').focus()")
    page.press("Enter")
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    names = page.run("[...document.querySelectorAll('#panel summary code')].map(code => code.textContent)")
    assert names[0] == "messages/stream/order-kept"
    assert len(names) == 5
    assert page.run("[...document.querySelectorAll('#panel details')].map(each => each.open)") == [True, False, False, False, False]
    page.run("document.querySelectorAll('#panel summary')[1].click()")
    cases = "document.querySelectorAll('#panel details')[1].querySelectorAll('.verdict').length"
    assert page.run(f"new Promise(done => setTimeout(() => done({cases}), 50))") == 5
    page.press("Escape")
    assert page.run("document.querySelector('#panel')") is None
    assert page.run("document.activeElement.getAttribute('aria-label')").startswith("messages/stream on claude-opus-4-7")


def test_a_finding_shows_its_place_its_bytes_and_how_to_replay_it(page: Page, page_path: Path) -> None:
    page.open(page_path, quote("messages/stream/order-kept[messages/text.stream-claude-opus-4-7]"))
    verdict = "document.getElementById('messages/stream/order-kept[messages/text.stream-claude-opus-4-7]')"
    offset = made.BODY.index(b"event: content_block_delta")
    told = page.run(f"[...{verdict}.querySelectorAll('.finding dd')].map(each => each.textContent)")
    assert told[:3] == [f"client, frame 2, byte {offset}, /index", "open block 0", "block 1"]
    assert page.run(f"{verdict}.querySelector('mark').textContent") == "event: content_block_delta\u21b5"
    assert '"text":"\u00fc"' in told[3]
    command = page.run(f"{verdict}.querySelector('.replay code').textContent")
    assert command == "wireproof run --run reports/run.jsonl -k 'messages/stream/order-kept[messages/text.stream-claude-opus-4-7]'"


@pytest.mark.parametrize(
    ("fragment", "cell"),
    [
        ("chat/errors on gpt-5-4", "chat/errors on gpt-5-4"),
        ("chat/errors/no-key-in-body[chat/refusal-deepseek-v4]", "chat/errors on deepseek-v4"),
        ("chat/native/never-billed-twice", "chat/native on gpt-5-4"),
        ("no/such/thing", None),
        ("%", None),
        ("matrix", None),
    ],
)
def test_a_link_opens_what_it_names(page: Page, page_path: Path, fragment: str, cell: str | None) -> None:
    page.open(page_path, fragment if fragment == "%" else quote(fragment))
    label: Any = page.run("document.querySelector('[aria-expanded=true]')?.getAttribute('aria-label')")
    assert (label and label.partition(":")[0]) == cell


def test_each_link_of_what_broke_opens_a_verdict(page: Page, page_path: Path) -> None:
    page.open(page_path)
    links = page.run("[...document.querySelectorAll('.broken .more a')].map(link => decodeURIComponent(link.hash.slice(1)))")
    assert len(links) == 14
    for link in links:
        page.open(page_path, quote(link))
        assert page.run(f"document.getElementById({link!r})?.className.startsWith('verdict')"), link


def test_the_table_can_be_narrowed(page: Page, page_path: Path) -> None:
    page.open(page_path)
    rows = "[...document.querySelectorAll('tr.feature')].filter(row => row.offsetParent).map(row => row.dataset.feature)"
    everything = page.run(rows)
    page.run("document.querySelector('#odd').click()")
    assert set(page.run(rows)) < set(everything)
    assert "chat/usage" not in page.run(rows)
    page.run("document.querySelector('#odd').click()")
    page.run("{ const find = document.querySelector('#find'); find.value = 'RESPONSES/'; find.dispatchEvent(new Event('input')); }")
    assert page.run(rows) == [feature for feature in everything if feature.startswith("responses/")]
    page.run("{ const find = document.querySelector('#find'); find.value = 'nowhere'; find.dispatchEvent(new Event('input')); }")
    assert page.run("document.querySelector('#nothing').hidden") is False


def test_text_can_be_read_in_light_dark_and_on_paper(page: Page, page_path: Path) -> None:
    """WCAG 2 AA: 4.5 to 1 for text, on whatever stands behind it."""
    worst = """(() => {
        const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
        const linear = (value) => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
        const light = ([red, green, blue]) => .2126 * linear(red / 255) + .7152 * linear(green / 255) + .0722 * linear(blue / 255);
        const behind = (element) => {
            for (; element; element = element.parentElement) {
                const colour = parse(getComputedStyle(element).backgroundColor);
                if (colour.length < 4 || colour[3] === 1) return colour;
            }
            return [255, 255, 255];
        };
        let least = [99, ''];
        for (const element of document.querySelectorAll('main *')) {
            if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()) || !element.checkVisibility()) continue;
            const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
            const contrast = (one + .05) / (other + .05);
            if (contrast < least[0]) least = [contrast, element.className + ' ' + element.textContent.slice(0, 40)];
        }
        return least;
    })()"""
    for look in ({}, {"dark": True}, {"media": "print"}):
        page.look(**look)
        page.open(page_path, quote("messages/stream/order-kept"))
        contrast, where = page.run(worst)
        assert contrast >= 4.5, (look, where, contrast)
    page.look()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_run_on_ten_models_scrolls_nothing_sideways(page: Page, tmp_path: Path, width: int) -> None:
    path = tmp_path / "report.html"
    models = tuple(f"{vendor}-sonnet-{number}-preview" for vendor in ("claude", "deepseek") for number in range(5))
    path.write_text(html(made.run(tmp_path, models=models)), encoding="utf-8")
    feature = quote("messages/stream on claude-sonnet-4-preview")  # opened
    for dark in (False, True):
        page.look(width=width, dark=dark)
        page.open(path, feature)
        assert page.run("document.querySelector('#panel') !== null")
        sideways = "[document.documentElement, document.querySelector('.wide')].map(each => each.scrollWidth - each.clientWidth)"
        assert page.run(sideways) == [0, 0]
        outside = "[...document.querySelectorAll('main *')].filter(each => each.getBoundingClientRect().right > innerWidth + 1).length"
        assert page.run(outside) == 0
    page.look()


def test_on_a_phone_each_cell_stands_under_the_name_of_its_model(page: Page, page_path: Path) -> None:
    page.look(width=390)
    page.open(page_path)
    name = "getComputedStyle(document.querySelector('button.cell'), '::before').content"
    assert page.run(f"{name} === JSON.stringify(document.querySelector('button.cell').dataset.model)")
    row = "document.querySelector('tr.feature[data-feature=\"chat/usage\"]')"
    assert page.run(f"{row}.querySelector('th').innerText").split("\n")[-1].endswith("not tested on 1 of 4 models")
    page.look()
    assert page.run(name) == "none"
    assert "not tested on" not in page.run(f"{row}.querySelector('th').innerText")


def test_a_model_without_any_verdict_is_named_and_has_no_column(page: Page, tmp_path: Path) -> None:
    run = made.run(tmp_path)
    run = replace(run, header=replace(run.header, models=(*run.header.models, "never-asked")))
    path = tmp_path / "report.html"
    path.write_text(html(run), encoding="utf-8")
    page.open(path)
    assert page.run("document.querySelector('.unmet').textContent") == "Not tested at all: never-asked."
    assert "never-asked" not in page.run("document.querySelector('.matrix').textContent")
    assert "Not tested at all: `never-asked`." in markdown(run)


def test_a_green_run_says_so_and_lists_nothing_broken(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html(made.run(tmp_path, green=True)), encoding="utf-8")
    page.open(path)
    assert page.run("document.querySelector('.headline').textContent.trim()") == "Everything stood as expected."
    assert page.run("document.querySelectorAll('.broken, .c-failed').length") == 0


def test_the_header_says_on_which_recordings_it_rests_and_the_sum_adds_up(page: Page, page_path: Path) -> None:
    page.open(page_path)
    told = "[...document.querySelectorAll('.facts div')].map(each => [...each.children].map(part => part.innerText.trim()))"
    facts = dict(page.run(told))
    assert "synthetic" in facts["Verdicts rest on"]
    assert "captured" in facts["Verdicts rest on"]
    # One number under each name: in one line they would run together.
    numbers = {name: facts[name] for name in ("Exchanges driven", "Calls made", "Tokens", "Spent")}
    assert numbers == {"Exchanges driven": "40", "Calls made": "1,204", "Tokens": "48,113", "Spent": "$0.09125"}
    assert facts["Run"] == "2026-11-21 21:40:00 UTC"
    run = made.run(page_path.parent)
    told = page.run("document.querySelector('.equation').innerText.replace(/\\s+/g, ' ')")
    assert told.startswith("1,200 selected = 12 failed + 2 unexpected-pass + 2 errored")
    assert run.arithmetic.by_standing[Standing.FAILED] == 12
    assert run.arithmetic.verdicts + run.arithmetic.unjudged == run.arithmetic.selected == 1200


def test_twenty_thousand_verdicts_stay_one_page_of_a_few_megabytes(page: Page, tmp_path: Path) -> None:
    run = made.run(tmp_path, repeat=17)
    path = tmp_path / "report.html"
    path.write_text(html(run), encoding="utf-8")
    assert len(run.verdicts) > 19_000
    assert path.stat().st_size < 3_000_000
    page.open(path)
    page.run("document.querySelector('button.c-failed').click()")
    assert page.run("document.querySelectorAll('#panel details').length") == 5


def test_a_run_without_verdicts_is_not_a_pass(tmp_path: Path) -> None:
    assert "There are no verdicts, which is not a pass." in html(made.run(tmp_path, models=()))
