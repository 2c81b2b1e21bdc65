"""Plain English: sentences are short, and each term of the glossary is explained where it comes first.

Both rules are proven on small spoilt texts. Change the limits here if you translate the course.
"""

import re

import nbformat
import pytest

from utils.files import REPO
from utils.run import NOTEBOOKS

WORDS, LONG_IN_A_NOTEBOOK = 30, 5
PAGES = sorted([*REPO.glob("*.md"), *REPO.glob("docs/*.md"), *REPO.glob("teaching/*.md")])
GLOSSARY = REPO / "docs" / "glossary.md"
# Terms that only the pages around the notebooks use: no notebook has to explain them.
AROUND = {"Accuracy", "Catch-up model", "Papermill", "Workspace"}
# Terms that are everyday words as well. They may occur before they are explained, but not linked.
EVERYDAY = {
    *(
        "Activation",
        "Batch",
        "Bias",
        "Blank",
        "Chance",
        "Channel",
        "Confidence",
        "Example",
        "Filter",
        "History",
        "Layer",
        "Loss",
    ),
    *("Output", "Padding", "Parameter", "Probability", "Process", "Recipe", "Record", "Shape", "Step", "Weight"),
}
LINK = re.compile(r"\*\*\[([^\]]+)\]\(([^)]*glossary\.md)#([^)\s]+)\)\*\*")
UNPRINTED = re.compile(
    r"^ *```.*?^ *```|(?<=\n\n)(?:(?: {4}|\t)[^\n]*\n?)+|<!--.*?-->|^\|[^\n]*|^#+ [^\n]*|^---+$", re.M | re.S
)


def prose(text: str) -> str:
    """What a reader reads of a Markdown text: no code blocks, comments, tables, headings or targets of links."""
    text = UNPRINTED.sub("\n\n", re.sub(r"<!-- [\w-]+ -->([^<]*)<!-- end -->", r"\1", text))
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"<[^>]+>", "", re.sub(r"`[^`\n]*`", "code", text))


def sentences(text: str) -> list[str]:
    """The sentences of a Markdown text. A paragraph ends a sentence, and so does an item of a list."""
    blocks = re.split(r"\n\s*\n|^\s*(?:[-*]|\d+\.)\s+(?:\[ \])?", prose(text), flags=re.M)
    found = []
    for block in blocks:
        whole = " ".join(block.replace("**", "").replace("*", "").split())
        found += re.split(r"(?<=[.!?])(?<!\.\.)(?<!\b[a-z]\.[a-z]\.)[\"”)]*\s+|(?<=:)\s+(?=[A-Z\"])", whole)
    return [sentence for sentence in found if sentence]


def long_sentences(text: str) -> list[str]:
    """Sentences of more words than a reader keeps in mind, each with their number. Dashes and signs are no words."""
    counted = [(len(re.findall(r"\S*\w\S*", sentence)), sentence) for sentence in sentences(text)]
    return [f"{words} words: {sentence}" for words, sentence in counted if words > WORDS]


def lesson_text(path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_long_sentences_in_notebooks_are_few(path):
    found = long_sentences(lesson_text(path))
    assert len(found) <= LONG_IN_A_NOTEBOOK, "\n".join(found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(REPO).as_posix())
def test_there_are_no_long_sentences_in_pages(path):
    assert long_sentences(path.read_text(encoding="utf-8")) == []


LONG = "One " + "word " * 29 + "more."


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        LONG.replace("word word", "word, e.g. some ... word", 1).replace("word ", "", 2),
        f"*quick* is short. {LONG}",
        f"A short one. {LONG} Another.",
        f"- {LONG}\n- short",
        "- [ ] " + LONG.replace("word word word", "word word word\n      ", 1),
        LONG.replace(" ", "\n"),
        f"<details><summary>Answer</summary>\n\n{LONG}\n\n</details>",
        LONG.replace("word", "**[word](a b c)**"),
        LONG.replace("word word", "`a = 1 +\u00a01` word"),
    ],
)
def test_a_long_sentence_is_found(text):
    assert [found[:8] for found in long_sentences(text)] == ["31 words"]


@pytest.mark.parametrize(
    "text",
    [
        LONG.replace("word ", "", 1),
        LONG.replace("word", "word.\n\nAnd", 1),
        f"```\n{LONG}\n```",
        f"text\n\n    {LONG}",
        f"| {LONG} | {LONG} |",
        f"## {LONG}",
        f"<!-- teacher: {LONG} -->",
        f"[text]({LONG.replace(' ', '-')}) is short.",
        "A list:\n\n" + "- some words\n" * 20,
        "word " * 20 + "end. " + "Word " * 20 + "end.",
    ],
)
def test_what_is_no_long_sentence_is_not_found(text):
    assert long_sentences(text) == []


def anchor(term: str) -> str:
    """How a link names a heading: lower case, spaces become ``-``, and other punctuation goes."""
    return re.sub(r"[^\w -]", "", term.lower()).replace(" ", "-")


def terms(glossary: str) -> list[str]:
    return re.findall(r"^## (.+)$", glossary, re.M)


def pattern(term: str) -> re.Pattern:
    """The term as a word of a sentence, also in the plural; ``Test set`` and ``test set`` are the same."""
    word = re.escape(term).replace(r"\ ", r"\s+")
    flags = 0 if term in ("Example", "Adam") else re.I
    return re.compile(rf"(?<![\w`/-]){word}(?:s|es)?(?![\w`/-])", flags)


def term_problems(glossary: str, lessons: dict[str, str]) -> list[str]:
    """Terms that no lesson explains, that occur before they are explained, and links to terms that do not exist.

    A term is explained where it is bold and linked; in that paragraph it may occur before. Headings, tables, code, the
    overview and the prerequisites only announce a lesson, so it may occur there too.
    """
    found, first = [], {}
    read = {}
    for name, text in lessons.items():
        text = re.sub(
            r"^## (?:Overview|Prerequisites)\n.*?(?=^\*\*Time to learn|^## (?!Prereq))", "", text, flags=re.M | re.S
        )
        read[name] = UNPRINTED.sub("\n\n", text)
        for match in LINK.finditer(read[name]):
            first.setdefault(match[3], (name, match.start()))
    anchors = {anchor(term): term for term in terms(glossary)}
    found += [f"{name}: #{link} is no term of the glossary" for link, (name, _) in first.items() if link not in anchors]
    for link, term in anchors.items():
        if link not in first:
            found += [] if term in AROUND else [f"{term}: explained in no lesson, bold and linked"]
            continue
        explained_in, explained_at = first[link]
        for name, text in read.items():
            paragraph = text.rfind("\n\n", 0, explained_at) + 1
            before = text[:paragraph] if name == explained_in else text
            if term not in EVERYDAY and (used := pattern(term).search(without_links(before))):
                around = " ".join(without_links(before)[max(used.start() - 30, 0) : used.end() + 20].split())
                found.append(f"{term}: used in {name} before it is explained in {explained_in}: ...{around}...")
            if f"glossary.md#{link})" in before:
                found.append(f"{term}: linked in {name} before it is explained in {explained_in}")
            if name == explained_in or (found and found[-1].startswith(f"{term}:")):
                break
    return found


def without_links(text: str) -> str:
    """Without code, and without the targets of links. Names of other terms stay as words."""
    return re.sub(r"`[^`\n]*`|\]\([^)]*\)", " ", text)


def test_each_term_is_explained_where_it_comes_first():
    lessons = {path.name[:2]: lesson_text(path) for path in NOTEBOOKS}
    problems = term_problems(GLOSSARY.read_text(encoding="utf-8"), lessons)
    assert problems == [], "\n".join(problems)


def long_explanations(glossary: str) -> list[str]:
    """The terms that are explained in more than three sentences, or not at all."""
    _, *parts = re.split(r"^## (.+)$", glossary, flags=re.M)
    return [term for term, said in zip(parts[::2], parts[1::2], strict=True) if not 1 <= len(sentences(said)) <= 3]


def test_the_glossary_is_in_order_and_short():
    text = GLOSSARY.read_text(encoding="utf-8")
    assert terms(text) == sorted(terms(text), key=str.lower)
    assert set(terms(text)) >= AROUND | EVERYDAY
    assert long_explanations(text) == []
    assert long_explanations("# Glossary\n\n## A\n\n## B\n\nOne.\n\n## C\n\nOne. Two. Three. Four.\n") == ["A", "C"]


GLOSSARY_OF_TWO = "# Glossary\n\n## Dropout\n\nA thing.\n\n## Test set\n\nAnother.\n\n## Step\n\nA third.\n"
LESSONS = {
    "00": """# 0. About dropout

A step further.

## Overview

1. dropout

## Prerequisites

| dropout |

**Time to learn:** long.

## 1. Dropout

**[Dropout](../docs/glossary.md#dropout)** is a thing. Then dropout is used.
""",
    "01": "A **[step](../docs/glossary.md#step)** of the **[test\nset](../docs/glossary.md#test-set)**, `test set`.",
}


def test_terms_that_are_explained_first_are_right():
    assert term_problems(GLOSSARY_OF_TWO, LESSONS) == []


@pytest.mark.parametrize(
    ("lesson", "old", "new", "message"),
    [
        ("00", "A step", "Dropout, a step", "Dropout: used in 00 before it is explained in 00"),
        ("00", "Then dropout", "Then test sets", "Test set: used in 00 before it is explained in 01"),
        ("00", "Then dropout", "Then [this](../docs/glossary.md#step)", "Step: linked in 00 before"),
        ("00", "**[Dropout](../docs/glossary.md#dropout)**", "Dropout", "Dropout: explained in no lesson"),
        ("00", "**[Dropout]", "[Dropout]", "Dropout: explained in no lesson"),
        ("01", "#test-set", "#testset", "01: #testset is no term of the glossary"),
        ("01", "A **", "A test\nset.\n\nA **", "Test set: used in 01 before it is explained in 01"),
    ],
)
def test_a_term_that_is_not_explained_first_is_found(lesson, old, new, message):
    assert LESSONS[lesson].count(old) == 1
    spoilt = LESSONS | {lesson: LESSONS[lesson].replace(old, new).replace("#dropout)\n", "#dropout)\n")}
    assert any(message in problem for problem in term_problems(GLOSSARY_OF_TWO, spoilt))
