"""Drawing: the right texts, the same bytes, and nothing half-done."""

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import captcha.image
import matplotlib
import numpy as np
import psutil
import pytest
from conftest import kill_tree, still_running
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from PIL import Image

from utils import captchas
from utils.files import CourseError


def all_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_texts_are_different_and_follow_from_the_seed():
    texts = captchas.draw_texts(5000, 0)
    assert len(set(texts)) == 5000
    assert all(len(text) == 4 and text.isdigit() for text in texts)
    assert texts == captchas.draw_texts(5000, 0)
    assert texts != captchas.draw_texts(5000, 1)
    assert texts[:4] == ["5664", "2059", "4085", "2721"]  # on every machine


def test_all_texts_can_be_drawn():
    assert sorted(captchas.draw_texts(10_000, 3)) == [f"{number:04d}" for number in range(10_000)]


def test_other_characters_and_lengths():
    assert sorted(captchas.draw_texts(8, 0, chars="ab", length=3)) == [
        "aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_impossible_counts(count, tmp_path):
    with pytest.raises(CourseError, match="between 1 and 10,000"):
        captchas.write_captchas(tmp_path / "captchas", count, 0)
    assert not list(tmp_path.iterdir())


def test_impossible_processes(tmp_path):
    with pytest.raises(CourseError, match="processes is -1"):
        captchas.write_captchas(tmp_path, 10, 0, processes=-1)


def test_a_picture_follows_from_seed_and_text():
    picture = captchas.draw_captcha("0427", 0)
    assert picture.size == (160, 60)
    assert hashlib.sha256(picture.tobytes()).hexdigest()[:16] == "dd4b08b10cba28f6"  # on every machine
    assert picture.tobytes() == captchas.draw_captcha("0427", 0).tobytes()
    assert picture.tobytes() != captchas.draw_captcha("0427", 1).tobytes()
    assert picture.tobytes() != captchas.draw_captcha("0428", 0).tobytes()


def test_the_packages_own_randomness_is_given_back():
    before = captcha.image.secrets
    with pytest.raises(ZeroDivisionError), captchas.seeded("x"):
        1 / 0  # noqa: B018
    assert captcha.image.secrets is before


def test_the_stand_in_draws_what_secrets_would():
    """`randbelow(n)` covers 0 to n - 1, `randbits(k)` 0 to 2**k - 1, and `choice` every item: as in `secrets`."""
    drawn = captchas.SeededSecrets("x")
    assert {drawn.randbelow(3) for _ in range(200)} == {0, 1, 2}
    assert {drawn.randbits(2) for _ in range(200)} == {0, 1, 2, 3}
    assert {drawn.choice("abc") for _ in range(200)} == set("abc")


def test_same_bytes_with_one_and_two_processes(tmp_path):
    for processes in (1, 2):
        assert captchas.write_captchas(tmp_path / str(processes), 200, seed=5, processes=processes) == 200
    one, two = all_bytes(tmp_path / "1"), all_bytes(tmp_path / "2")
    assert len(one) == 200
    assert one == two


def test_files_are_png_pictures_named_by_their_text(captcha_folder):
    paths = captchas.find_captchas(captcha_folder)
    assert [captchas.text_of(path) for path in paths] == sorted(captchas.draw_texts(120, 0))
    for path in paths:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert picture.size == (160, 60)
            assert np.array_equal(np.asarray(picture), np.asarray(captchas.draw_captcha(path.stem, 0)))


def test_a_second_run_does_nothing_and_a_missing_file_is_drawn_again(tmp_path):
    folder = tmp_path / "captchas"
    captchas.write_captchas(folder, 30, 0)
    before = all_bytes(folder)
    assert captchas.write_captchas(folder, 30, 0) == 0
    random.Random(0).choice(captchas.find_captchas(folder)).unlink()
    assert captchas.write_captchas(folder, 30, 0) == 1
    assert all_bytes(folder) == before


@pytest.mark.parametrize(("count", "seed"), [(31, 0), (30, 1)])
def test_other_settings_in_the_same_folder_are_an_error(tmp_path, count, seed):
    folder = tmp_path / "captchas"
    captchas.write_captchas(folder, 30, 0)
    before = all_bytes(folder)
    with pytest.raises(
        CourseError, match=r"other settings .* change that back, delete that folder, or choose another `workspace`"
    ):
        captchas.write_captchas(folder, count, seed)
    assert all_bytes(folder) == before


@pytest.mark.parametrize("enough", [1, 400])
def test_a_killed_run_leaves_whole_pictures_and_goes_on(tmp_path, enough):
    code = (
        "from pathlib import Path; from utils.captchas import write_captchas\n"
        f"if __name__ == '__main__': write_captchas(Path({str(tmp_path / 'killed')!r}), 1500, 0, processes=2)"
    )
    script = tmp_path / "draw.py"
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "killed").glob("[0-9]*.png"))) < enough and time.monotonic() < deadline:
        time.sleep(0.01)
    kill_tree(process.pid)
    found = [path for path in (tmp_path / "killed").glob("*.png") if not path.name.startswith(".")]
    assert enough <= len(found) < 1500
    for path in found:
        Image.open(path).load()  # raises where a picture is cut short
    assert captchas.write_captchas(tmp_path / "killed", 1500, 0) == 1500 - len(found)
    some = random.Random(0).sample(captchas.find_captchas(tmp_path / "killed"), 50)
    assert all(np.array_equal(np.asarray(Image.open(p)), np.asarray(captchas.draw_captcha(p.stem, 0))) for p in some)


def test_no_process_goes_on_drawing_when_the_one_that_started_it_is_killed(tmp_path):
    code = (
        "from pathlib import Path; from utils.captchas import write_captchas\n"
        f"if __name__ == '__main__': write_captchas(Path({str(tmp_path / 'killed')!r}), 9000, 0, processes=2)"
    )
    (tmp_path / "draw.py").write_text(code)
    process = subprocess.Popen([sys.executable, str(tmp_path / "draw.py")], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("killed/[0-9]*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    drawing = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    assert len(drawing) >= 2 and still_running(drawing, 10) == []


def test_an_empty_or_missing_folder_names_the_notebook_to_run(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CourseError, match=r"run 01-generate-captchas\.ipynb first"):
            captchas.find_captchas(folder)


@pytest.mark.parametrize("text", ["123", "12345", "12a4", ""])
def test_texts_that_cannot_be_drawn(text):
    with pytest.raises(CourseError, match="is not 4 characters out of"):
        captchas.check_text(text)
    assert captchas.check_text("0042") == "0042"


def test_a_changed_function_draws_in_all_processes_and_is_not_mixed_with_others(tmp_path):
    """As a learner changes it in a cell: a function that no other process could import."""

    def paler(text, seed):
        picture = captchas.draw_captcha(text, seed)
        return picture.point(lambda value: 128 + value // 2)

    for processes in (1, 2):
        captchas.write_captchas(tmp_path / str(processes), 120, 0, processes=processes, draw=paler)
    assert all_bytes(tmp_path / "1") == all_bytes(tmp_path / "2")
    assert all(np.asarray(Image.open(path)).min() >= 128 for path in captchas.find_captchas(tmp_path / "2")[:20])
    with pytest.raises(CourseError, match="another function draws"):
        captchas.write_captchas(tmp_path / "2", 120, 0)


def test_pictures_of_a_learner_are_not_drawn_over(tmp_path):
    (tmp_path / "0000.png").write_bytes(b"my own")
    with pytest.raises(CourseError, match="already holds pictures that this course has not drawn"):
        captchas.write_captchas(tmp_path, 10, 0)
    assert (tmp_path / "0000.png").read_bytes() == b"my own"


def test_texts_and_labels_are_opposites():
    assert captchas.labels_of("0042") == [0, 0, 4, 2] and captchas.labels_of("ca", "abc") == [2, 0]
    for text in ("2026", "0000", "0987"):
        assert captchas.text_from(captchas.labels_of(text)) == text


# Every character that DroidSansMono can draw and a keyboard has.
PRINTABLE = "".join(map(chr, range(33, 127)))


def test_no_two_texts_share_a_file_on_a_disk_that_takes_capitals_for_small_letters():
    texts = captchas.draw_texts(2000, 0, "aAbB1%", 5)
    names = [captchas.file_name(text, "aAbB1%") for text in texts]
    assert len({name.lower() for name in names}) == 2000
    assert [captchas.text_of(Path(name)) for name in names] == texts
    assert captchas.file_name("aA", "aA") == "a%41.png" and captchas.file_name("AB", "AB") == "AB.png"


def test_names_of_files_hold_nothing_that_a_system_forbids():
    for text in (PRINTABLE[start : start + 12] for start in range(0, len(PRINTABLE), 12)):
        name = captchas.file_name(text, PRINTABLE)
        assert re.fullmatch(r"[0-9A-Za-z%]+\.png", name) and captchas.text_of(Path(name)) == text
    assert captchas.file_name("1+/=", "+-*/=0123456789") == "1%2B%2F%3D.png"
    assert captchas.file_name("日本", "日本") == "%E6%97%A5%E6%9C%AC.png"


@pytest.mark.parametrize("text", ["CON", "con", "COM1", "LPT0", "NUL", "aux"])
def test_names_that_windows_keeps_for_devices_are_not_used(text):
    name = captchas.file_name(text, "".join(sorted(set(text))))
    assert name == f"%{ord(text[0]):02X}{text[1:]}.png" and captchas.text_of(Path(name)) == text
    assert captchas.file_name("CONE", "CONE") == "CONE.png"


@pytest.mark.parametrize(
    ("chars", "says"),
    [
        ("A中验", "DroidSansMono.ttf cannot draw 中, 验: leave that out of chars, or name fonts that can"),
        ("AABB", "chars is 'AABB', but 'A', 'B' must not stand in it twice"),
        ("A B", "chars is 'A B', but no picture can show SPACE alone"),
        ("A\u200bB\n", "no picture can show ZERO WIDTH SPACE, U+000A alone"),
        ("ae\u0301", "no picture can show COMBINING ACUTE ACCENT alone"),
        ("7", "chars is '7', but one character is nothing to tell apart"),
        ("", "chars is '', but"),
    ],
)
def test_alphabets_that_cannot_be_read(chars, says, tmp_path):
    with pytest.raises(CourseError, match=re.escape(says)):
        captchas.write_captchas(tmp_path / "captchas", 1, 0, chars, 1)
    assert not list(tmp_path.iterdir())


def test_alphabets_that_can_be_read():
    for chars in ("+-*/=0123456789", PRINTABLE, "äöüÄÖÜ", "αβγ", "абв"):
        assert captchas.check_alphabet(chars) == chars


def test_an_alphabet_is_refused_by_the_name_of_its_own_parameter():
    """Lesson 10 has no parameter for fonts, so its alphabet gets no such advice."""
    with pytest.raises(CourseError, match=r"leave that out of chars, or name fonts that can in the parameter fonts of"):
        captchas.check_alphabet("ab\u4e2d")
    with pytest.raises(CourseError, match=r"leave that out of own_chars\.$"):
        captchas.check_alphabet("ab\u4e2d", name="own_chars")


def test_a_process_that_dies_while_it_draws_is_told():
    with pytest.raises(CourseError, match=r"A process that draws has died, .*: close other programs"):
        list(captchas.draw_all(dies, [("2026", 0)] * 3))


def dies(text, seed):
    os._exit(9)


def test_fonts_of_ones_own_draw_and_are_checked(tmp_path):
    own = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    usual, other = captchas.draw_captcha("2026", 0), captchas.draw_captcha("2026", 0, fonts=str(own))
    assert usual.size == other.size and usual.tobytes() != other.tobytes()
    assert captchas.check_alphabet("⠁⠃", str(own)) and len(captchas.font_files(f"{own}, {own}")) == 2
    with pytest.raises(CourseError, match=r"DejaVuSans\.ttf cannot draw \u2800"):
        captchas.check_alphabet("⠁\u2800", str(own))  # a blank
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    for name in (tmp_path / "bad.ttf", tmp_path / "missing.ttf", "~nosuchuser/a.ttf"):
        says = f"fonts names .*{Path(name).name}, which is no font file that can be read"
        with pytest.raises(CourseError, match=says):
            captchas.check_alphabet("ab", f"{own},{name}")


def font_of(path, chars, without=()):
    """A font file that holds these characters only, and lacks these tables."""
    font = TTFont(captchas.font_files("")[0])
    subsetter = Subsetter(Options(notdef_outline=True))
    subsetter.populate(text=chars)
    subsetter.subset(font)
    for table in without:
        del font[table]
    font.save(path)
    return str(path)


def test_a_font_must_have_a_blank_space_and_be_one_that_can_be_drawn(tmp_path):
    """The painter draws spaces too: where a font has none, there would be a box between the characters."""
    assert captchas.check_alphabet("012", font_of(tmp_path / "whole.ttf", "012 "))
    with pytest.raises(CourseError, match=r"The font spaceless\.ttf has no blank space"):
        captchas.check_alphabet("012", font_of(tmp_path / "spaceless.ttf", "012"))
    with pytest.raises(CourseError, match=r"fonts names empty\.ttf, which is no font file that can be read"):
        captchas.check_alphabet("012", font_of(tmp_path / "empty.ttf", "012 ", without=("glyf", "loca")))


def test_another_font_in_the_same_file_is_never_mixed_in(tmp_path):
    fonts, folder = font_of(tmp_path / "own.ttf", "0123456789 "), tmp_path / "captchas"
    assert captchas.write_captchas(folder, 3, 0, fonts=fonts) == 3
    assert captchas.write_captchas(folder, 3, 0, fonts=fonts) == 0
    shutil.copy(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", fonts)
    with pytest.raises(CourseError, match=r"other settings \(other fonts under the same names\)"):
        captchas.write_captchas(folder, 3, 0, fonts=fonts)


def test_nothing_is_drawn_after_an_interrupt_of_the_progress_bar(tmp_path, monkeypatch):
    """The error, and so the generator that it left behind, lives as long as the notebook shows it."""

    def interrupted(drawn, *words):
        for number, one in enumerate(drawn):
            if number == 20:
                raise KeyboardInterrupt
            yield one

    monkeypatch.setattr(captchas, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt) as kept:
        captchas.write_captchas(tmp_path, 3000, 0, processes=2)
    drawn = len(captchas.find_pictures(tmp_path))
    time.sleep(1)
    assert kept.value and 20 <= drawn == len(captchas.find_pictures(tmp_path)) < 1000


def test_letters_in_another_size_are_drawn_found_and_known_by_their_settings(tmp_path):
    folder = tmp_path / "captchas"
    for processes, drawn in ((2, 120), (1, 0)):
        look = {"width": 220, "height": 70}
        assert captchas.write_captchas(folder, 120, 0, "aAB+", 5, processes, **look) == drawn
    paths = captchas.find_captchas(folder, "aAB+", 5)
    assert sorted(map(captchas.text_of, paths)) == sorted(captchas.draw_texts(120, 0, "aAB+", 5))
    with Image.open(paths[7]) as picture:
        assert picture.tobytes() == captchas.draw_captcha(captchas.text_of(paths[7]), 0, 220, 70).tobytes()
    assert captchas.look_in(folder) == look
    with pytest.raises(CourseError, match="width 220 instead of None, height 70 instead of None"):
        captchas.write_captchas(folder, 120, 0, "aAB+", 5)
    with pytest.raises(
        CourseError, match=r"holds 120 pictures, but none .* 5 characters out of 'ab', such as ababa.png"
    ):
        captchas.find_captchas(folder, "ab", 5)


def test_an_example_to_show():
    assert captchas.example_text() == "2026"
    assert captchas.is_text(captchas.example_text("ABCDEFGH", 5), "ABCDEFGH", 5)
