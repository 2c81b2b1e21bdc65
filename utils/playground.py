"""A playground: change how a captcha is drawn, and see at once what the network makes of it.

`draw`, `changed`, `look` and `read_drawings` need no widgets. `Playground` puts sliders before them, if ipywidgets is
installed.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import captcha.image
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageFilter

from utils import figures
from utils.captchas import DIGITS, LENGTH, USUAL, check_text, example_text, font_files, seeded, text_from
from utils.files import CourseError
from utils.model import keras, probabilities, scaled
from utils.pictures import doubts, gray, read_picture

MISSING = "The sliders need ipywidgets: run `pip install ipywidgets`, restart the kernel, and run this cell again."


def draw(
    text: str, seed: int | str, tilt: float = 30, warp: float = 1, dots: int = 30, arcs: int = 1, **look: object
) -> Image.Image:
    """Draw ``text`` as `utils.captchas.draw_captcha` does, byte for byte, unless an argument says otherwise.

    Args:
        tilt: each character is turned by up to so many degrees, to the left or to the right.
        warp: how far the corners of each character are pulled, as a multiple of the usual.
        dots: how many dots are strewn.
        arcs: how many arcs are drawn.
        look: width, height and fonts, as `utils.captchas.draw_captcha` takes them.
    """
    painter = _painter(**USUAL | look)
    painter.character_rotate = (-tilt, tilt)
    painter.character_warp_dx = tuple(warp * share for share in captcha.image.ImageCaptcha.character_warp_dx)
    painter.character_warp_dy = tuple(warp * share for share in captcha.image.ImageCaptcha.character_warp_dy)
    with seeded(f"captcha {seed} {text}"):
        paper = captcha.image.random_color(238, 255)
        ink = captcha.image.random_color(10, 200, captcha.image.secrets.randbelow(36) + 220)
        picture = painter.create_captcha_image(text, ink, paper)
        painter.create_noise_dots(picture, ink, number=min(dots, 30))
        if arcs:
            painter.create_noise_curve(picture, ink)
    with seeded(f"more {seed} {text}"):  # of its own, so that one more dot moves none of the others
        painter.create_noise_dots(picture, ink, number=max(dots - 30, 0))
        for _ in range(arcs - 1):
            painter.create_noise_curve(picture, ink)
    return picture.filter(ImageFilter.SMOOTH)


@cache
def _painter(width: int, height: int, fonts: str) -> captcha.image.ImageCaptcha:
    """A painter of our own, made once: it loads its fonts when it first draws, and its settings are changed here."""
    return captcha.image.ImageCaptcha(width, height, font_files(fonts))


def changed(picture: Image.Image, darkness: float = 1, blur: float = 0, shift: float = 0) -> Image.Image:
    """A picture with other ink, out of focus, or moved.

    Args:
        darkness: how dark the ink is, as a multiple of what it was; 0 is as bright as the paper.
        blur: how far each pixel is spread, in pixels.
        shift: how far the picture is moved to the right, as a share of its width; the edge is continued.
    """
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    far = round(shift * picture.width)
    if far:
        places = np.clip(np.arange(picture.width) - far, 0, picture.width - 1)
        pixels = pixels[:, places]
    if darkness != 1:
        paper = pixels.max(axis=(0, 1))
        pixels = np.clip(paper - darkness * (paper - pixels), 0, 255)
    result = Image.fromarray(pixels.round().astype(np.uint8))
    return result.filter(ImageFilter.GaussianBlur(blur)) if blur else result


class Look(NamedTuple):
    """A picture, what the network sees of it (gray, 0 to 255), and the probabilities, of shape (length, classes)."""

    picture: Image.Image
    seen: np.ndarray
    chances: np.ndarray
    chars: str = DIGITS

    @property
    def text(self) -> str:
        return text_from(self.chances.argmax(axis=-1), self.chars)

    @property
    def confidence(self) -> float:
        """Of the whole captcha: the product of those of its characters."""
        return float(self.chances.max(axis=-1).prod())


def look(network: keras.Model, size: tuple[int, int], picture: Image.Image, chars: str = DIGITS) -> Look:
    """Let the network read one picture, by the same steps as in training: gray, the same size, scaled."""
    image = gray(picture, size)[None, ..., None]
    seen = np.clip((np.asarray(scaled(image))[0, ..., 0] + 1) * 127.5, 0, 255).astype(np.uint8)
    return Look(picture, seen, probabilities(network, image)[0], chars)


def read_drawings(
    network: keras.Model, size: tuple[int, int], texts: Sequence[str], chars: str = DIGITS, **values
) -> float:
    """Draw each text with the sliders at ``values``; the share that the network reads whole, 0 to 1.

    The seed of the drawings is a word, so that none of them is a captcha of the training set, whatever its seed.

    Args:
        values: of the sliders, and width, height and fonts of the drawing.
    """
    drawing = {name: value for name, value in values.items() if name in (*DRAWING, *USUAL)}
    others = {name: value for name, value in values.items() if name not in drawing}
    images = np.stack([gray(changed(draw(text, "playground", **drawing), **others), size) for text in texts])[..., None]
    read = probabilities(network, images).argmax(axis=-1)
    return float(np.mean([text_from(row, chars) == text for row, text in zip(read, texts, strict=True)]))


def some_texts(count: int = 20, chars: str = DIGITS, length: int = LENGTH) -> list[str]:
    """Texts to draw, the same each time, spread over all that there are."""
    base, possible = len(chars), len(chars) ** length
    numbers = [(1234 + 411 * number) * max(possible // 10_000, 1) % possible for number in range(count)]
    return ["".join(chars[number // base**place % base] for place in reversed(range(length))) for number in numbers]


SLIDERS = {  # name: what it says, smallest, largest, step, value at first
    "tilt": ("tilt, degrees", 0, 90, 5, 30),
    "warp": ("warp", 0.0, 4.0, 0.25, 1.0),
    "dots": ("dots", 0, 200, 10, 30),
    "arcs": ("arcs", 0, 8, 1, 1),
    "darkness": ("darkness of the ink", 0.1, 2.0, 0.1, 1.0),
    "blur": ("blur, pixels", 0.0, 4.0, 0.25, 0.0),
    "shift": ("shift to the right", -0.15, 0.15, 0.01, 0.0),
}
DRAWING = ("tilt", "warp", "dots", "arcs")


class Playground:
    """A text field, a button, a slider for each thing that can be changed, and what the network makes of the picture.

    As the last line of a cell it shows itself: alive with a kernel and ipywidgets, else as one finished picture.
    ``values`` holds what the sliders say, and ``last`` is the `Look` at the picture that is shown.
    """

    def __init__(
        self,
        network: keras.Model,
        size: tuple[int, int],
        text: str = "",
        seed: int = 0,
        chars: str = DIGITS,
        length: int = LENGTH,
        **look: object,
    ):
        self.network, self.size, self.seed, self.chars, self.length = network, size, seed, chars, length
        self.look, self.text = look, check_text(text or example_text(chars, length), chars, length)
        self.own: Image.Image | None = None  # an uploaded picture, until something new is drawn
        self.note = ""
        self.values = {name: first for name, (_, _, _, _, first) in SLIDERS.items()}
        self.refresh()
        self.box = self._widgets()

    def refresh(self) -> Look:
        """Draw the picture again by what the sliders say, and let the network read it."""
        drawn = self.own or draw(self.text, self.seed, **{name: self.values[name] for name in DRAWING}, **self.look)
        others = {name: value for name, value in self.values.items() if name not in DRAWING}
        self.last = look(self.network, self.size, changed(drawn, **others), self.chars)
        return self.last

    def set(self, **values: float) -> Look:
        """Move sliders by name, as a hand would."""
        self.values |= values
        return self.refresh()

    def draw_new(self, text: str) -> None:
        """Draw another captcha of ``text``; a text that cannot be drawn is said, and changes nothing."""
        try:
            self.text, self.note, self.own = check_text(text, self.chars, self.length), "", None
        except CourseError as error:
            self.note = str(error)
        else:
            self.seed += 1
            self.refresh()

    def take(self, name: str, content: bytes) -> None:
        """Take an uploaded file in the place of the drawing; one that is no picture is said, and changes nothing."""
        try:
            own = read_picture(io.BytesIO(content), name).convert("RGB")
        except CourseError as error:
            self.note = str(error)
        else:
            own.thumbnail((1600, 1600))  # each move of a slider works on every pixel
            self.own = own
            said = f"This is {name}. Tilt, warp, dots and arcs change drawings only."
            self.note = " ".join([said, *doubts(self.own, self.look)])
            self.refresh()

    def html(self) -> str:
        """The two pictures, the map and the reading as a piece of a page, with alternative texts."""
        picture, seen, chances, _ = self.last
        places = "".join(
            f"<tr><th>place {place}</th>{''.join(_cell(share, share == row.max()) for share in row)}</tr>"
            for place, row in enumerate(chances)
        )
        head = "".join(f"<th>{html.escape(char)}</th>" for char in self.chars)
        kind = "digit" if self.chars == DIGITS else "character"
        read = f"read as <b>{html.escape(self.last.text)}</b>, with a confidence of {self.last.confidence:.0%}"
        return (
            '<div class="playground" style="background:white;color:black;padding:8px;display:flex;flex-wrap:wrap;'
            'gap:16px;align-items:flex-start">'
            f"{_figure(picture, 'the picture', 240)}"
            f"{_figure(Image.fromarray(seen), 'as the network sees it', 180)}"
            '<div><table style="border-collapse:collapse;font-size:13px"><caption style="text-align:left">probability '
            f"of each {kind}, in %</caption><tr><td></td>{head}</tr>{places}</table>"
            f'<p aria-live="polite" style="margin:6px 0">{read}</p></div>'
            f'<p style="flex-basis:100%;margin:0">{html.escape(self.note)}</p></div>'
        )

    def finished(self) -> bytes:
        """The same as one picture, a PNG file, for pages without a kernel."""
        titles = {"the picture": self.last.picture, "as the network sees it": self.last.seen}
        figures.show_reading(titles, self.last.chances, self.chars)
        figure, file = plt.gcf(), io.BytesIO()
        figure.savefig(file, format="png", dpi=200)
        plt.close(figure)
        return file.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        if self.box is None:
            print(MISSING)
        sizes = {"image/png": {"width": 1100}}
        shown = {} if self.box is None else self.box._repr_mimebundle_()
        said = f"read as {self.last.text}, with a confidence of {self.last.confidence:.0%}"
        return shown | {"image/png": self.finished(), "text/plain": said}, sizes

    def _widgets(self):
        """The controls, tied to this playground; None where ipywidgets is missing."""
        try:
            import ipywidgets as widgets
        except ImportError:
            return None
        wide = {"style": {"description_width": "140px"}, "layout": widgets.Layout(width="340px")}
        page = widgets.HTML(self.html())
        text = widgets.Text(self.text, description="text", **wide)
        new = widgets.Button(description="Draw a new one", icon="pencil")
        upload = widgets.FileUpload(
            accept="image/*", description="A picture of yours", layout=widgets.Layout(width="auto")
        )
        self.sliders = {
            name: (widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider)(
                first, min=low, max=high, step=step, description=label, **wide
            )
            for name, (label, low, high, step, first) in SLIDERS.items()
        }
        reset = widgets.Button(description="Sliders back", icon="undo")

        def moved(change):
            self.set(**{change["owner"].name: change["new"]})
            page.value = self.html()

        def asked(_):
            self.draw_new(text.value)
            page.value = self.html()

        def typed(change):
            if len(change["new"]) == self.length:  # not before the text is complete
                asked(change)

        def uploaded(change):
            for file in change["new"]:
                self.take(file["name"], bytes(file["content"]))
            page.value = self.html()

        def back(_):
            for name, slider in self.sliders.items():
                slider.value = SLIDERS[name][4]

        for name, slider in self.sliders.items():
            slider.name = name
            slider.observe(moved, "value")
        text.observe(typed, "value")
        new.on_click(asked)
        upload.observe(uploaded, "value")
        reset.on_click(back)
        self.page, self.field, self.button, self.upload = page, text, new, upload
        sliders = list(self.sliders.values())
        columns = widgets.HBox([widgets.VBox([text, *sliders[:3]]), widgets.VBox(sliders[3:])])
        return widgets.VBox([widgets.HBox([new, upload, reset]), columns, page])


def _figure(picture: Image.Image, title: str, width: int) -> str:
    """A picture with its title below, as HTML."""
    file = io.BytesIO()
    picture.save(file, format="png", compress_level=1)
    source = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure style="margin:0"><img src="data:image/png;base64,{source}" width="{width}" alt="{title}" '
        f'style="border:1px solid #ccc;max-width:none"><figcaption>{title}</figcaption></figure>'
    )


def _cell(share: float, highest: bool) -> str:
    """A cell of the map: the bluer, the likelier."""
    said = f"{100 * share:.0f}" if share >= 0.005 else "·"
    ink, frame = "white" if share > 0.5 else "black", "2px solid black" if highest else "1px solid #ddd"
    blue = ",".join(str(round(255 - (255 - full) * float(share))) for full in (8, 81, 156))
    style = f"width:30px;height:26px;text-align:center;padding:0;border:{frame};background:rgb({blue});color:{ink}"
    return f'<td style="{style}">{said}</td>'
