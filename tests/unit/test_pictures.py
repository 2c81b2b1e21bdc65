"""Pictures of every kind become what a person sees; what is no captcha is said."""

import io
import os

import numpy as np
import pytest
from conftest import bomb
from PIL import Image, ImageOps

from utils.captchas import draw_captcha
from utils.files import CourseError
from utils.pictures import as_seen, doubts, gray, gray_picture, open_picture

SIZE = (96, 224)


@pytest.fixture(scope="module")
def ink():
    """A captcha in gray, and how much ink is on each pixel: 255 is black."""
    picture = draw_captcha("7007", 0).convert("L")
    return picture, ImageOps.invert(picture)


def far(one, other):
    """By how many gray levels two gray pictures differ at most."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_an_ordinary_picture_keeps_its_bytes():
    for text in ("0000", "1234", "9876"):
        picture = draw_captcha(text, 0)
        before = np.asarray(picture.convert("L").resize((224, 96), Image.Resampling.BILINEAR))
        assert np.array_equal(gray(picture, SIZE), before)
        assert gray(picture, SIZE).dtype == np.uint8 and gray(picture, SIZE).shape == SIZE


def black_on_transparent(ink, mode):
    """The captcha in black, on paper that is transparent: every pixel is black, and only alpha says how much."""
    black = Image.new("L", ink.size, 0)
    picture = Image.merge("LA", (black, ink))
    return picture.convert("RGBA") if mode in ("RGBA", "RGBa") else picture


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_black_ink_on_transparent_paper(ink, mode, tmp_path):
    picture = black_on_transparent(ink[1], mode)
    picture.save(tmp_path / "7007.png")
    assert far(gray_picture(tmp_path / "7007.png", SIZE), gray(ink[0], SIZE)) <= 1


def test_premultiplied_alpha(ink):
    for mode, stored in (("RGBA", "RGBa"), ("LA", "La")):
        picture = black_on_transparent(ink[1], mode).convert(stored)
        assert far(gray(picture, SIZE), gray(ink[0], SIZE)) <= 2


def test_palettes_with_transparency(ink, tmp_path):
    inked = ink[0].point(lambda level: 255 if level > 128 else 0)
    wanted = gray(inked, SIZE)
    indices = np.where(np.asarray(inked) > 128, 1, 0).astype(np.uint8)
    picture = Image.new("P", inked.size)
    picture.putpalette([0, 0, 0, 0, 0, 0])  # both colours are black, and one of them is transparent
    picture.putdata(indices.ravel().tolist())
    for name, options in (("a.png", {"transparency": 1}), ("a.gif", {"transparency": 1})):
        picture.save(tmp_path / name, **options)
        assert far(gray_picture(tmp_path / name, SIZE), wanted) <= 1, name
    with_alpha = Image.new("PA", inked.size)
    with_alpha.putpalette([0, 0, 0, 0, 0, 0])
    with_alpha.putalpha(ImageOps.invert(inked))
    assert far(gray(with_alpha, SIZE), wanted) <= 1


def test_sixteen_bits(ink, tmp_path):
    levels = np.asarray(ink[0]).astype(np.uint16) * 257
    for name in ("a.png", "a.tif"):
        Image.fromarray(levels).save(tmp_path / name)
        with Image.open(tmp_path / name) as picture:
            assert picture.mode.startswith("I"), picture.mode
        assert far(gray_picture(tmp_path / name, SIZE), gray(ink[0], SIZE)) <= 1, name
    big = Image.frombytes("I;16B", ink[0].size, levels.astype(">u2").tobytes())
    assert far(gray(big, SIZE), gray(ink[0], SIZE)) <= 1


def test_sixteen_bits_with_a_transparent_level(ink, tmp_path):
    levels = np.where(np.asarray(ink[0]) > 200, 1, 0).astype(np.uint16) * 700  # transparent paper of a dark level
    Image.fromarray(levels).save(tmp_path / "a.png", transparency=700)
    if Image.open(tmp_path / "a.png").info.get("transparency") != 700:
        pytest.skip("this Pillow does not write a transparent level of 16 bits")
    assert gray_picture(tmp_path / "a.png", SIZE).max() == 255


@pytest.mark.parametrize("scale", [1 / 255, 1.0, 257.0, 1e6])
def test_numbers_are_scaled_by_their_range(ink, scale, tmp_path):
    values = np.asarray(ink[0]).astype(np.float32)
    values[0, :2] = 0, 255
    wanted = gray(Image.fromarray(values.astype(np.uint8)), SIZE)
    floats = Image.fromarray(values * np.float32(scale))
    assert floats.mode == "F" and far(gray(floats, SIZE), wanted) <= 1
    floats.save(tmp_path / "a.tif")
    assert far(gray_picture(tmp_path / "a.tif", SIZE), wanted) <= 1
    if scale >= 1:
        whole = Image.fromarray((values * scale).astype(np.int32))
        assert whole.mode == "I" and far(gray(whole, SIZE), wanted) <= 1


def test_numbers_without_a_range():
    for values in ([[np.nan] * 4] * 3, [[np.inf, -np.inf, 0, 0]] * 3, [[-5, -5, -5, -5]] * 3, [[0, 0, 0, 0]] * 3):
        assert gray(Image.fromarray(np.asarray(values, np.float32)), (3, 4)).shape == (3, 4)


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_other_modes(ink, mode):
    picture = ink[0].convert("RGB")
    picture = picture.convert("RGBA").convert(mode) if mode == "RGBX" else picture.convert(mode, palette=1)
    wanted = gray(picture.convert("L"), SIZE) if mode == "1" else gray(ink[0], SIZE)
    assert far(gray(picture, SIZE), wanted) <= 4


def test_lab_is_read_by_its_lightness(ink):
    picture = Image.merge("LAB", (ink[0], Image.new("L", ink[0].size, 128), Image.new("L", ink[0].size, 128)))
    assert np.array_equal(gray(picture, SIZE), gray(ink[0], SIZE))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_pictures_are_turned_upright(ink, orientation, ending, tmp_path):
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that undoes each orientation
    lying = ink[0].transpose(back[orientation]) if orientation > 1 else ink[0]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    lying.save(path, exif=exif, **({"quality": 95} if ending in ("jpg", "webp") else {}))
    seen = open_picture(path)
    assert seen.size == ink[0].size and np.array_equal(gray(seen, SIZE), gray_picture(path, SIZE))
    assert as_seen(Image.open(io.BytesIO(path.read_bytes()))) == seen
    assert np.abs(np.asarray(seen.convert("L")).astype(int) - np.asarray(ink[0])).mean() < 4


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_note_about_the_way_up_is_no_failure(ink):
    picture = ink[0].copy()
    picture.info["exif"] = b"Exif\0\0MM\0*\xff\xff\xff\xff"
    assert np.array_equal(gray(picture, SIZE), gray(ink[0], SIZE))


@pytest.mark.parametrize(
    ("side", "says"), [(15_000, "more pixels than Pillow opens"), (10_000, "10,000 x 10,000 pixels")]
)
def test_far_too_many_pixels(tmp_path, side, says, recwarn):
    bomb(tmp_path / "0150.png", side)
    with pytest.raises(CourseError, match=rf"0150\.png has {says}, far too many for a captcha"):
        gray_picture(tmp_path / "0150.png", SIZE)
    assert not list(recwarn)


def test_every_failure_is_one_sentence_with_the_name_and_the_cause(ink, tmp_path):
    whole = io.BytesIO()
    ink[0].save(whole, "PNG")
    for name, data, says in (
        (
            "cut.png",
            whole.getvalue()[:300],
            r"cut\.png is not a whole picture \(.*truncated.*\): draw or save it again",
        ),
        ("empty.png", b"", r"empty\.png is not a whole picture \(it is empty\)"),
        ("text.png", b"Not Found", r"text\.png is not a whole picture \(it is of no kind that Pillow knows\)"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CourseError, match=says) as caught:
            gray_picture(tmp_path / name, SIZE)
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(CourseError, match=r"There is no file .*missing\.png: check its name and folder"):
        gray_picture(tmp_path / "missing.png", SIZE)
    with pytest.raises(CourseError, match=r"There is no file .*~?nosuchuser[/\\]a\.png"):
        open_picture("~nosuchuser/a.png")
    with pytest.raises(CourseError, match="is a folder, not a picture"):
        gray_picture(tmp_path, SIZE)
    for name in ("x" * 300 + ".png", "a\0.png"):
        with pytest.raises(CourseError, match=r"is not a whole picture|There is no file|cannot be read: "):
            gray_picture(tmp_path / name, SIZE)


@pytest.mark.skipif(os.name != "posix", reason="pipes are files on these systems only")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(CourseError, match="is no ordinary file"):
        gray_picture(tmp_path / "a.png", SIZE)


def test_captchas_raise_no_doubts(ink):
    assert not [text for text in range(0, 10_000, 97) if doubts(draw_captcha(f"{text:04d}", 0))]
    assert not doubts(black_on_transparent(ink[1], "LA"))
    assert not doubts(ink[0].resize((320, 120)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda captcha: Image.new("L", captcha.size, 255), "almost one gray level only"),
        (lambda captcha: Image.new("RGBA", captcha.size, (0, 0, 0, 0)), "almost one gray level only"),
        (ImageOps.invert, "light text on a dark ground"),
        (lambda captcha: captcha.crop((0, 0, 60, 60)), "60 x 60 pixels, and the captchas of this course are 8 wide"),
        (lambda captcha: captcha.rotate(90, expand=True), "60 x 160 pixels"),
        (lambda captcha: in_the_corner(captcha), "fills only a small part"),
    ],
)
def test_what_is_no_captcha_is_said(ink, change, says):
    found = doubts(change(ink[0]))
    assert len(found) == 1 and says in found[0]


def in_the_corner(captcha):
    page = Image.new("L", (800, 300), 255)
    page.paste(captcha, (20, 20))
    return page
