"""Words, tf-idf, sequences of words, and files of word vectors."""

import gzip
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError, FileError, RequestError
from tartarus_cli.options import parse_options
from tartarus_cli.text import EXTRACTORS, FittedVocabulary, TrainingTexts, restore, vectors
from tartarus_cli.text.vectors import read_vectors
from tartarus_cli.text.vsm import VsmOptions
from tartarus_cli.text.vsm import fit as fit_vsm
from tartarus_cli.text.w2v import SENTENCE_WORDS, W2vOptions
from tartarus_cli.text.w2v import fit as fit_w2v
from tartarus_cli.text.words import split_tokens, split_words

TRAIN = [
    "La voz de la cantante llena el teatro, y el público canta.",
    "She sings the blues; the band can't stop playing the blues!",
    "Der Sänger singt über die Straße und über den Fluß.",
    "Two drummers, one bass & no guitar (live in 1976).",
    "",
]
NEW = ["The band sings über la voz", "nothing known hereabouts", "", "bass " * 900]


def dense(rows: csr_array | NDArray[Any]) -> NDArray[Any]:
    return np.asarray(rows.toarray() if isinstance(rows, csr_array) else rows)


def learn(
    name: str, texts: Sequence[str] = TRAIN, *overrides: str, seed: int = 0
) -> FittedVocabulary:
    found = EXTRACTORS.get(name)
    return found.fit(TrainingTexts(texts, seed), parse_options(found.options, overrides, name))


# ---------------------------------------------------------------------------- every extractor


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_a_vocabulary_made_again_from_its_json_transforms_identically(name: str) -> None:
    learnt = learn(name)
    document = json.loads(json.dumps(learnt.vocabulary.model_dump(mode="json")))
    again = restore(document)
    assert again == learnt.vocabulary
    for texts in (TRAIN, NEW):
        one, other = learnt.vocabulary.transform(texts), again.transform(texts)
        assert dense(one.rows).tobytes() == dense(other.rows).tobytes()
        assert np.array_equal(one.known, other.known, equal_nan=True)


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_rows_have_the_form_and_the_width_that_the_vocabulary_promises(name: str) -> None:
    learnt = learn(name)
    vocabulary = learnt.vocabulary
    rows = vocabulary.transform(NEW).rows
    assert rows.shape == (len(NEW), vocabulary.width)
    assert isinstance(rows, csr_array) == (vocabulary.form == "sparse")
    assert rows.dtype == (np.int32 if vocabulary.form == "sequence" else np.float32)
    assert vocabulary.documents == len(TRAIN)
    assert vocabulary.extractor == name
    assert (learnt.word_vectors is None) == (vocabulary.vectors is None)
    if learnt.word_vectors is not None:
        assert learnt.word_vectors.dtype == np.float32
        assert len(learnt.word_vectors) == vocabulary.vectors
        assert dense(rows).max() < len(learnt.word_vectors)


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_rows_do_not_depend_on_which_documents_are_transformed_together(name: str) -> None:
    vocabulary = learn(name).vocabulary
    alone = [dense(vocabulary.transform([text]).rows) for text in NEW]
    assert np.array_equal(np.concatenate(alone), dense(vocabulary.transform(NEW).rows))
    assert vocabulary.transform([]).rows.shape == (0, vocabulary.width)


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_a_document_without_words_is_a_row_of_zeros_of_which_nothing_is_known(name: str) -> None:
    told = learn(name).vocabulary.transform(["", " \n\t", "…", "sings"])
    assert not dense(told.rows)[:3].any()
    assert np.isnan(told.known).tolist() == [True, True, True, False]
    assert told.known[3] == 1


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_train_documents_are_read_as_often_as_the_options_say(name: str) -> None:
    read = 0

    class Texts:
        def __iter__(self) -> Iterator[str]:
            nonlocal read
            for text in TRAIN:
                read += 1
                yield text

    found = EXTRACTORS.get(name)
    options = found.options()
    found.fit(TrainingTexts(Texts()), options)
    assert read == options.passes * len(TRAIN)


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_nothing_is_learnt_from_documents_without_words(name: str) -> None:
    with pytest.raises(DataError, match=r"2 train documents: no word"):
        learn(name, ["", "…"])


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_with_the_unit_character_texts_without_blanks_have_terms(name: str) -> None:
    extra = ["max_df=1"] if name == "vsm" else []
    learnt = learn(name, ["音楽が好き。", "歌と音"], "unit=character", *extra)
    told = learnt.vocabulary.transform(["音楽と歌", "魚"])
    assert told.known.tolist() == [1, 0]
    assert (dense(told.rows)[0] > 0).sum() >= 4


DAMAGED = {
    "no object": [],
    "no extractor": {"terms": ["a"], "idf": [1.0]},
    "an unknown extractor": {"extractor": "doc2vec"},
    "an extractor that is no name": {"extractor": ["vsm"]},
    "a parameter that is none": {"options": {"max_dff": 1}},
    "a parameter that does not fit": {"options": {"max_df": 2}},
    "more than there should be": {"pickle": "…"},
    "terms that come twice": {"terms": ["a", "a"], "idf": [1.0, 1.0]},
    "a term without a weight": {"terms": ["a", "b"], "idf": [1.0]},
    "a weight that is no number": {"terms": ["a"], "idf": [float("nan")]},
    "no terms": {"terms": [], "idf": []},
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_vocabulary_is_refused(what: str) -> None:
    damage = DAMAGED[what]
    whole = learn("vsm").vocabulary.model_dump(mode="json")
    document = whole | damage if isinstance(damage, dict) and what != "no extractor" else damage
    with pytest.raises(ValueError, match=r"no vocabulary of|validation error"):
        restore(document)


def test_words_that_come_twice_are_refused() -> None:
    document = learn("w2v").vocabulary.model_dump(mode="json")
    with pytest.raises(ValidationError, match="words that come twice"):
        restore(document | {"words": ["a", "a"]})


# --------------------------------------------------------------------------------------- words

PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L'été à Étretat, 2 FOIS", ["été", "étretat", "fois"]),
        ("गीत और संगीत", ["गीत", "और", "संगीत"]),  # vowel signs are combining marks
        ("Ti\u1ebfng Vi\u1ec7t", ["tiếng", "việt"]),
        (normalize("NFD", "Tiếng Việt"), ["tiếng", "việt"]),
        (PERSIAN, [PERSIAN]),  # with a joiner
        ("ΟΔΟΣ музыка 音楽", ["οδος", "музыка", "音楽"]),
        ("snake_case x\u0301 \u0301", ["snake_case", "x\u0301"]),
        ("", []),
    ],
)
def test_words_of_any_script_stay_whole(text: str, expected: list[str]) -> None:
    assert split_words(text) == expected


@given(st.text())
def test_composed_and_decomposed_text_has_the_same_words(text: str) -> None:
    for tokens in (split_words, split_tokens):
        assert tokens(normalize("NFC", text)) == tokens(normalize("NFD", text))


@settings(deadline=None)  # the first call imports scikit-learn
@given(st.text(st.characters(codec="latin-1")))
def test_words_of_latin_text_are_those_of_scikit_learn(text: str) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    assert split_words(text) == CountVectorizer().build_analyzer()(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I've, you're; he'd & they'll", "i 've , you 're he 'd they 'll"),
        ("DON'T can\u2019t won't", "do n't ca n't wo n't"),
        ("it's (really) good!!", "it 's ( really ) good ! !"),
        ("Why? Rock'n'roll…", "why ? rock'n'roll"),
        ("a_b-c/d 50%", "a b c d 50"),
        ("¿Qué tal, señor?", "qué tal , señor ?"),
        ("die Straße – der Fluß", "die straße der fluß"),
        ("गीत, संगीत!", "गीत , संगीत !"),
        ("好\uff0c吗\uff1f", "好 , 吗 ?"),
        ("she'd've", "she 'd 've"),
        ("rock \u2764\ufe0f roll", "rock roll"),  # the sign's mark goes with it
    ],
)
def test_contractions_and_signs_become_tokens(text: str, expected: str) -> None:
    assert split_tokens(text) == expected.split()


def test_characters_keep_their_marks() -> None:
    assert split_words("गीत", "character") == ["गी", "त"]
    assert split_tokens("啊, 好!", "character") == ["啊", ",", "好", "!"]


# -------------------------------------------------------------------------------------- tf-idf


def documents(count: int, *, seed: int = 0) -> list[str]:
    """Documents of 50 to 600 words, some frequent and most rare, as words are."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefgéñüß"))
    known = ["".join(rng.choice(letters, rng.integers(1, 7))) for _ in range(800)]
    weights = 1 / np.arange(2, len(known) + 2)
    signs = ["", "", "", ",", ".", "!", "'s", "-und"]
    return [
        " ".join(
            (word.title() if rng.random() < 0.1 else word) + str(rng.choice(signs))
            for word in rng.choice(known, rng.integers(50, 600), p=weights / weights.sum())
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("sublinear", [True, False])
def test_tf_idf_is_that_of_scikit_learn(sublinear: bool) -> None:  # noqa: FBT001
    from sklearn.feature_extraction.text import TfidfVectorizer

    train, new = documents(40), [*documents(15, seed=1), ""]
    first = [[" ".join(text.split()[:300]) for text in texts] for texts in (train, new)]
    theirs = TfidfVectorizer(max_df=0.5, max_features=10_000, sublinear_tf=sublinear)
    theirs.fit(first[0])
    ours = learn("vsm", train, f"sublinear_tf={str(sublinear).lower()}").vocabulary
    assert ours.model_dump()["terms"] == tuple(theirs.get_feature_names_out())
    assert ours.model_dump()["idf"] == pytest.approx(theirs.idf_)
    for texts, cut in zip((train, new), first, strict=True):
        rows = ours.transform(texts).rows
        assert dense(rows) == pytest.approx(theirs.transform(cut).toarray(), abs=1e-6)


def test_the_most_frequent_terms_are_kept_and_equal_ones_by_the_alphabet() -> None:
    texts = ["ee ee dd cc bb", "aa zz zz zz", "cc xx"]
    options = VsmOptions(terms=4, max_df=1)
    assert fit_vsm(TrainingTexts(texts), options).vocabulary.model_dump()["terms"] == (
        *("aa", "cc", "ee", "zz"),
    )


def test_only_the_first_words_of_a_document_count() -> None:
    vocabulary = learn("vsm", ["one two three", "four"], "words=2").vocabulary
    assert vocabulary.model_dump()["terms"] == ("four", "one", "two")


def test_terms_of_more_than_half_of_the_train_documents_are_left_out() -> None:
    vocabulary = learn("vsm", ["aa bb", "aa bb", "aa", "cc"]).vocabulary
    assert vocabulary.model_dump()["terms"] == ("bb", "cc")


def test_where_no_term_is_left_the_error_says_which_option_to_change() -> None:
    with pytest.raises(
        DataError, match=r"each term .* 0\.5 \(max_df\) of the 1 train doc"
    ) as caught:
        learn("vsm", ["one two"])
    assert "`overrides=['max_df=1']`" in caught.value.hint
    assert learn("vsm", ["one two"], "max_df=1").vocabulary.size == 2


def test_the_share_of_known_words_counts_every_token() -> None:
    vocabulary = learn("vsm", ["aa bb", "cc", "dd"]).vocabulary
    assert vocabulary.transform(["aa aa bb zz"]).known.tolist() == [0.75]


# ----------------------------------------------------------------------------- word sequences


def test_numbers_of_words_follow_their_frequency() -> None:
    learnt = learn("w2v", ["b b b a a", "c a b, d"], "length=6", "dim=3", "epochs=1")
    assert learnt.vocabulary.model_dump()["words"] == ("b", "a", ",", "c", "d")
    told = learnt.vocabulary.transform(["d b zebra", "a " * 9])
    assert told.rows.tolist() == [[6, 2, 1, 0, 0, 0], [3] * 6]
    assert told.known == pytest.approx([2 / 3, 1])


def test_rare_words_are_unknown() -> None:
    vocabulary = learn("w2v", ["a a b"], "min_count=2", "length=3", "dim=3").vocabulary
    assert vocabulary.transform(["b a"]).rows.tolist() == [[1, 2, 0]]
    with pytest.raises(DataError, match=r"none of the 2 words occurs 3 times \(min_count\)"):
        learn("w2v", ["a a b"], "min_count=3")


def test_the_defaults_are_those_of_the_papers() -> None:
    options = W2vOptions()
    assert (options.length, options.dim, options.window) == (500, 300, 10)
    tfidf = VsmOptions()
    assert (tfidf.words, tfidf.max_df, tfidf.terms, tfidf.sublinear_tf) == (300, 0.5, 10_000, True)


def test_padding_is_zero_and_the_unknown_word_is_drawn() -> None:
    one, other = (learn("w2v", TRAIN, "dim=8", seed=seed).word_vectors for seed in (0, 1 << 40))
    assert one is not None
    assert other is not None
    assert not one[0].any()
    assert 0 < np.abs(one[1]).max() <= 0.25
    assert (one[1:] != other[1:]).any(axis=1).all()


def test_words_that_stand_in_the_same_places_get_vectors_that_point_alike() -> None:
    rng = np.random.default_rng(0)
    themes = [["cat", "dog", "cow"], ["red", "blue", "pink"]]
    texts = [" ".join(rng.choice(themes[n % 2], 30)) for n in range(200)]
    learnt = learn("w2v", texts, "dim=10", "window=3", "epochs=10")
    assert learnt.word_vectors is not None
    table = dict(zip(learnt.vocabulary.model_dump()["words"], learnt.word_vectors[2:], strict=True))
    unit = {word: vector / np.linalg.norm(vector) for word, vector in table.items()}
    assert unit["cat"] @ unit["dog"] > unit["cat"] @ unit["red"] + 0.2
    assert unit["red"] @ unit["pink"] > unit["pink"] @ unit["cow"] + 0.2


def test_word2vec_hears_of_all_of_a_long_document() -> None:
    long = "x " * SENTENCE_WORDS + "y z " * 400
    learnt = learn("w2v", [long], "dim=4", "epochs=1")
    short = learn("w2v", ["x " * SENTENCE_WORDS, "y z " * 400], "dim=4", "epochs=1")
    assert learnt.word_vectors is not None
    assert short.word_vectors is not None
    assert np.array_equal(learnt.word_vectors, short.word_vectors)


def test_a_document_that_cannot_be_read_again_ends_the_training() -> None:
    class Texts:
        reads = 0

        def __iter__(self) -> Iterator[str]:
            self.reads += 1
            yield TRAIN[0]
            if self.reads > 1:
                msg = "the disk is gone"
                raise OSError(msg)

    with pytest.raises(OSError, match="the disk is gone"):
        fit_w2v(TrainingTexts(Texts()), W2vOptions(dim=4))


SCRIPT = """
import hashlib, json
from tartarus_cli.text import TrainingTexts
from tartarus_cli.text.w2v import W2vOptions, fit
texts = [f"song {n % 7} has words {n % 3} and {n}" for n in range(200)]
made = fit(TrainingTexts(texts, 7), W2vOptions(dim=16, epochs=2))
print(hashlib.sha256(made.word_vectors.tobytes()).hexdigest())
print(hashlib.sha256(made.vocabulary.model_dump_json().encode()).hexdigest())
"""


def test_word2vec_gives_the_same_bytes_in_every_process() -> None:
    told = {
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": salt},
        ).stdout
        for salt in ("1", "2")
    }
    assert len(told) == 1


# ------------------------------------------------------------------------ files of word vectors

WORDS = ["música", "rock", "音楽", "n't", "(", "New York", "jazz"]


@pytest.fixture
def table() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((len(WORDS), 5)).astype(np.float32)


def as_text(table: NDArray[np.float32], end: str = "\n") -> bytes:
    rows = (
        " ".join([word, *map(repr, map(float, row))])
        for word, row in zip(WORDS, table, strict=True)
    )
    return f"{len(table)} {table.shape[1]}\n{end.join(rows)}{end}".encode()


def as_binary(table: NDArray[np.float32], end: bytes = b"") -> bytes:
    words = [word.replace(" ", "_").encode() for word in WORDS]
    rows = (word + b" " + row.tobytes() + end for word, row in zip(words, table, strict=True))
    return b"%d %d\n" % table.shape + b"".join(rows)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("block", [1, 64, 1 << 20])
def test_what_gensim_writes_is_read(
    binary: bool,  # noqa: FBT001
    packed: bool,  # noqa: FBT001
    block: int,
    table: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(table.shape[1])
    keyed.add_vectors([word.replace(" ", "_") if binary else word for word in WORDS], table)
    path = tmp_path / ("vectors.gz" if packed else "vectors")
    keyed.save_word2vec_format(str(path), binary=binary)
    monkeypatch.setattr(vectors, "BLOCK", block)
    monkeypatch.setattr(vectors, "LONGEST_WORD", 40)
    wanted = {"rock": 0, "absent": 1, "música": 2, "音楽": 3, "jazz": 4, "Rock": 5}
    found = read_vectors(path, wanted)
    assert found.there.tolist() == [True, False, True, True, True, False]
    places = [WORDS.index(word) for word in ("rock", "música", "音楽", "jazz")]
    assert np.array_equal(found.values[found.there], table[places])
    assert not found.values[~found.there].any()


def test_the_other_ways_of_writing_the_formats_are_read(
    table: NDArray[np.float32], tmp_path: Path
) -> None:
    wanted = {word: place for place, word in enumerate(WORDS)}
    path = tmp_path / "vectors"
    spaced = as_text(table, " \n")  # as the first word2vec wrote lines
    for content in (spaced, as_text(table, "\r\n"), as_text(table).removesuffix(b"\n")):
        path.write_bytes(content)
        assert np.array_equal(read_vectors(path, wanted).values, table)
    path.write_bytes(as_binary(table, b"\n"))
    found = read_vectors(path, {"jazz": 0, "New_York": 1})
    assert np.array_equal(found.values, table[[6, 5]])


def test_the_first_of_two_vectors_of_a_word_counts(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"2 1\nrock 1\nrock 2\n")
    assert read_vectors(path, {"rock": 0}).values.tolist() == [[1]]


def broken(table: NDArray[np.float32]) -> dict[str, tuple[bytes, str]]:
    text, binary = as_text(table), as_binary(table)
    lines = text.splitlines(keepends=True)
    nan = table.copy()
    nan[1, 2] = np.nan
    return {
        "empty": (b"", "'' in its first line; expected two numbers"),
        "no header": (b"".join(lines[1:]), "in its first line; expected two numbers"),
        "a pickle": (b"\x80\x04\x95", "in its first line"),
        "no words": (b"0 5\n", "0 words of 5 dimensions"),
        "no dimensions": (b"5 0\n", "5 words of 0 dimensions"),
        "huge dimensions": (b"5 99999999\nrock 1\n", "99,999,999 dimensions"),
        "text cut short": (b"".join(lines[:-2]), "cut short after 5 words; expected 7 words"),
        "text cut in a line": (b"".join(lines[:-1]) + lines[-1][:20], r"line 8; expected a word"),
        "text with more words": (text + lines[-1], "more than 7 words"),
        "text of fewer dimensions": (text.replace(b"7 5", b"7 6", 1), "5 numbers in line 2"),
        "text with a letter": (
            text.replace(b"rock ", b"rock x", 1),
            "else than numbers for word 2",
        ),
        "text with NaN": (as_text(nan), "NaN or infinity for word 2"),
        "text with a number too large": (b"1 1\nrock 1e99\n", "NaN or infinity for word 1"),
        "text with one long line": (b"1 2\n" + b"x" * 9000, "0 numbers in line 2"),
        "binary cut short": (binary[:-3], "cut short or damaged after 6 words; expected 7 words"),
        "binary with more words": (binary + binary[-25:], "more than 7 words"),
        "binary of more dimensions": (binary.replace(b"7 5", b"7 9", 1), "cut short or damaged"),
        "binary with NaN": (as_binary(nan), "NaN or infinity for word 2"),
        "gzip cut short": (gzip.compress(binary)[:-20], "damaged gzip data"),
        "gzip with a wrong sum": (gzip.compress(binary)[:-8] + bytes(8), "damaged gzip data"),
        "gzip of nothing": (b"\x1f\x8b", "damaged gzip data"),
        "gzip damaged": (gzip.compress(binary)[:20] + b"\xff" * 40, "damaged gzip data"),
    }


@pytest.mark.parametrize("what", broken(np.ones((len(WORDS), 5), np.float32)))
def test_a_damaged_file_of_vectors_is_an_error_that_names_it(
    what: str, table: NDArray[np.float32], tmp_path: Path
) -> None:
    content, said = broken(table)[what]
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"^vectors: ") as caught:
        read_vectors(path, {"rock": 0, "jazz": 1})
    assert said in str(caught.value)


def test_vectors_of_the_vocabulary_are_taken_from_a_file_and_the_rest_drawn(
    table: NDArray[np.float32], tmp_path: Path
) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(as_binary(table))
    learnt = fit_w2v(TrainingTexts(["rock rock jazz polka"], 3, path), W2vOptions(dim=300))
    rows = learnt.word_vectors
    assert rows is not None
    assert learnt.vocabulary.model_dump()["words"] == ("rock", "jazz", "polka")
    assert learnt.vocabulary.model_dump()["options"]["dim"] == 5
    assert np.array_equal(rows[2:4], table[[1, 6]])
    assert 0 < np.abs(rows[[1, 4]]).max() <= 0.25
    assert "2 of 3 words have a vector in vectors (5 dimensions)" in learnt.remark


def test_most_of_a_large_file_of_vectors_is_skipped(tmp_path: Path) -> None:
    """Its memory is that of the words that are wanted."""
    import tracemalloc

    path, dim = tmp_path / "vectors", 300
    with path.open("wb") as file:
        file.write(b"20000 %d\n" % dim)
        for number in range(20_000):
            file.write(b"word%d " % number + struct.pack("<f", number) * dim)
    tracemalloc.start()
    found = read_vectors(path, {"word19999": 0})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.values[0].tolist() == [19999] * dim
    assert path.stat().st_size > 23_000_000
    assert peak < 4 * vectors.BLOCK


# ---------------------------------------------------------------------------------- parameters


def test_parameters_are_typed_and_checked() -> None:
    options = parse_options(VsmOptions, ["max_df=1", "unit=character", "words = 20"], "vsm")
    assert (options.max_df, options.unit, options.words) == (1, "character", 20)
    assert parse_options(VsmOptions, [], "vsm") == VsmOptions()


@pytest.mark.parametrize(
    ("override", "said", "hint"),
    [
        ("max_dff=1", "vsm has no parameter 'max_dff'", "Did you mean max_df?"),
        ("colour=red", "vsm has no parameter 'colour'", "terms"),
        ("max_df=half", "vsm: max_df: Input should be a valid number, not 'half'", "max_df=0.5"),
        ("max_df=0", "greater than 0", "max_df=0.5"),
        ("words=1.5", "vsm: words: Input should be a valid integer", "words=300"),
        ("unit=syllable", "'word' or 'character', not 'syllable'", "unit=word"),
        ("max_df", "not of the form key=value", "max_df=0.5"),
        ("=1", "not of the form key=value", "max_df=0.5"),
        ("words=1\nterms=2", "vsm: words: ", "words=300"),
    ],
)
def test_a_parameter_that_is_wrong_is_asked_wrongly(override: str, said: str, hint: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_options(VsmOptions, [override], "vsm")
    assert said in str(caught.value)
    assert hint in caught.value.hint
