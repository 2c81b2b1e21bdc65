"""Every measured number is up to date and stands between markers; and proof that a spoiled page is noticed."""

import json
import re

import nbformat
import pytest

from utils import numbers
from utils.files import REPO
from utils.machine import MEMORY

KNOWN = {
    "whole-test": "97.8 %",
    "whole-interval": "96.1 to 98.8 %",
    "seconds-05": "13 min 49 s",
    "seconds-06": "8.8 s",
    "size-catch-up": "13.5 MB",
    "accuracy": "| recipe | read whole |\n| --- | --- |\n| long | 99.13 % (99.06 to 99.20) |",
}
PAGE = """# A page

It reads **<!-- whole-test -->97.8 %<!-- end -->** (<!-- whole-interval -->96.1 to 98.8 %<!-- end -->).
Training took <!-- seconds-05 -->13 min 49 s<!-- end -->, and there are 10 others in 8.8 s. Write `<!-- seconds-05 -->`.

<!-- accuracy: made by a program -->

| recipe | read whole |
| --- | --- |
| long | 99.13 % (99.06 to 99.20) |

<!-- end of accuracy -->

<!-- teacher: Ask something. -->
"""


def lesson(text="Train.", seconds=12.0, **metadata):
    prose = [
        f"# 5. Train\n\nabout <!-- minutes -->5<!-- end --> minutes; it needs <!-- seconds -->12 s<!-- end -->. {text}",
        "## Exercises\n\n" + "word " * 5000,
        "## Summary\n\n- All is well.",
    ]
    code = nbformat.v4.new_code_cell("show()", metadata=metadata)
    cells = [nbformat.v4.new_markdown_cell(source) for source in prose]
    return nbformat.v4.new_notebook(cells=[cells[0], code, *cells[1:]], metadata={"seconds": seconds})


def test_every_number_is_up_to_date_and_none_is_typed_by_hand():
    assert numbers.problems(numbers.pages()) == []


def test_lesson_00_asks_for_as_much_memory_as_a_lesson_has_used():
    """Machines differ: with bfloat16, the training took a tenth more than without."""
    peaks = [nbformat.read(path, as_version=4).metadata.get("peak_mb", 0) for path in numbers.lessons().values()]
    assert max(peaks) - 50 <= MEMORY / 1e6 <= 1.1 * max(peaks), "set MEMORY in utils/machine.py"


def test_a_good_page_has_no_problem_and_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert numbers.problems([page], KNOWN) == []
    assert numbers.update([page], KNOWN) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("97.8 %<", "97.6 %<", "whole-test is stale"),
        ("99.13", "99.12", "accuracy is stale"),
        ("10 others", "13.5 MB more", "13.5 MB is typed by hand: write <!-- size-catch-up -->"),
        ("10 others", "97.8% of them", "97.8% is typed by hand"),
        ("10 others", "13 min\n49 s", "13 min 49 s is typed by hand"),
        ("10 others", "99.13 % right", "99.13 % is typed by hand"),
        ("10 others", "12.34 % right", "12.34 % is typed by hand"),  # stale, or never measured
        ("<!-- seconds-05 -->13", "<!-- seconds-5 -->13", "the marker seconds-5 is filled by no program"),
        ("<!-- seconds-05 -->13", "<!-- seconds-03 -->13", "seconds-03 has no value yet"),
        ("13 min 49 s<!-- end -->", "13 min 49 s", "the marker seconds-05 has no end"),
        ("<!-- end of accuracy -->", "", "the marker accuracy has no end"),
        ("Training took ", "", "a line begins with a marker"),
    ],
)
def test_a_spoiled_page_is_noticed(old, new, message, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace(old, new, 1))
    assert any(message in problem for problem in numbers.problems([page], KNOWN))


def test_stale_numbers_are_written_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    newer = KNOWN | {"whole-test": "97.0 %", "accuracy": "| a table |"}
    assert numbers.update([page], newer) == [page]
    assert numbers.problems([page], newer) == []
    assert numbers.update([page], KNOWN) == [page]
    assert page.read_text() == PAGE
    numbers.update([page], {})  # what has no value keeps what stands there
    assert page.read_text() == PAGE


def test_a_new_table_stands_between_its_markers_with_empty_lines_around(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    numbers.update([page], {"accuracy": "| new |"})
    assert "\n\n| new |\n\n<!-- end of accuracy -->" in page.read_text()


def test_a_lesson_gets_its_own_numbers(tmp_path):
    path = tmp_path / "05-train.ipynb"
    nbformat.write(lesson(seconds=829.0, alt="A picture."), path)
    assert numbers.update([path], KNOWN) == [path]
    nb = nbformat.read(path, as_version=4)
    assert "<!-- seconds -->13 min 49 s<!-- end -->" in nb.cells[0].source
    assert "<!-- minutes -->5<!-- end -->" in nb.cells[0].source
    assert nb.cells[1].source == "show()"
    assert numbers.problems([path], KNOWN) == []
    path.write_text(json.dumps(lesson(text="It reads 97.8 % of them.")))
    assert any("typed by hand" in problem for problem in numbers.problems([path], KNOWN))


def test_minutes_count_words_and_pictures_but_no_exercises():
    assert numbers.minutes_to_read(lesson()) == 5
    assert numbers.minutes_to_read(lesson("word " * 1300)) == 15  # ten minutes, and a few words
    assert numbers.minutes_to_read(lesson("word " * 1250, alt="A picture.")) == 15  # a picture is two minutes
    assert numbers.minutes_to_read(lesson("word " * 1220 + "<!-- teacher: " + "word " * 500 + "-->")) == 10


def test_the_accuracy_is_taken_from_what_the_lesson_prints():
    said = "On this run, 97.8% of 500 test captchas are read whole.\nThe 95 % interval goes from 96.1% to 98.8%.\n"
    assert numbers.whole_test(said) == {"whole-test": "97.8 %", "whole-interval": "96.1 to 98.8 %"}
    assert numbers.whole_test("Nothing was printed.") == {}


def test_the_machine_is_taken_from_what_the_lesson_prints():
    said = "My machine: {'cores': 4, 'avx512': False, 'bfloat16': False, 'system': 'Linux x86_64'} captcha 0.7.1"
    assert numbers.machine_of(said) == {"machine": "4 x86-64 cores without bfloat16"}
    with_it = said.replace("'bfloat16': False", "'bfloat16': True")
    assert numbers.machine_of(with_it) == {"machine": "4 x86-64 cores with bfloat16"}
    assert numbers.machine_of("Nothing was printed.") == {}


def test_a_hub_shares_its_cores():
    assert numbers.hub_table(600).splitlines()[2:] == [
        "| 8 | 62 min |",
        "| 16 | 31 min |",
        "| 32 | 16 min |",
        "| 64 | 10 min |",
    ]


def test_the_map_in_the_readme_has_every_lesson_with_its_numbers():
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    for number, path in numbers.lessons().items():
        (row,) = (line for line in readme.splitlines() if line.startswith(f"| [{number} "))
        assert f"| [{numbers.title(number)}](notebooks/{path.name}) |" in row
        assert re.findall(r"<!-- ([a-z]+)-(\d\d) -->", row) == [
            ("read", number),
            ("exercises", number),
            ("seconds", number),
        ]


def test_every_lesson_has_the_markers_of_its_times():
    for path in numbers.lessons().values():
        (text,) = (text for text in numbers.texts_of(path) if "**Time to learn:**" in text)
        assert numbers.names_in(text)[:2] == ["minutes", "seconds"], path.name


def test_the_command_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("97.8", "97.7", 1))
    monkeypatch.setattr(numbers, "pages", lambda: [page])
    monkeypatch.setattr(numbers, "values", lambda: KNOWN)
    assert numbers.main(["--check"]) == 1
    assert "whole-test is stale" in capsys.readouterr().out
    assert numbers.main([]) == 0
    assert numbers.main(["--check"]) == 0
    assert page.read_text() == PAGE
