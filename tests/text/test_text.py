"""Words, tf-idf and sequences of words."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.sparse import csr_array

from tartarus_cli.errors import DataError, RequestError
from tartarus_cli.options import parse_options
from tartarus_cli.text import EXTRACTORS, FittedVocabulary, TrainingTexts, WordVectors, restore
from tartarus_cli.text.vsm import VsmOptions
from tartarus_cli.text.vsm import fit as fit_vsm
from tartarus_cli.text.w2v import SENTENCE_WORDS, W2vOptions, modernize_vectors
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
    extractor = EXTRACTORS.get(name)
    return extractor.fit(
        TrainingTexts(texts, seed), parse_options(extractor.options, overrides, name)
    )


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
    rows = learn(name).vocabulary.transform(["", " \n\t", "…", "sings"])
    assert not dense(rows.rows)[:3].any()
    assert np.isnan(rows.known).tolist() == [True, True, True, False]
    assert rows.known[3] == 1


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_train_documents_are_read_as_often_as_the_options_say(name: str) -> None:
    reads = 0

    class Texts:
        def __iter__(self) -> Iterator[str]:
            nonlocal reads
            for text in TRAIN:
                reads += 1
                yield text

    extractor = EXTRACTORS.get(name)
    options = extractor.options()
    extractor.fit(TrainingTexts(Texts()), options)
    assert reads == options.passes * len(TRAIN)


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_nothing_is_learnt_from_documents_without_words(name: str) -> None:
    with pytest.raises(DataError, match=r"2 train documents: no word"):
        learn(name, ["", "…"])


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_with_the_unit_character_texts_without_blanks_have_terms(name: str) -> None:
    extra = ["max_df=1"] if name == "vsm" else []
    learnt = learn(name, ["音楽が好き。", "歌と音"], "unit=character", *extra)
    new = learnt.vocabulary.transform(["音楽と歌", "魚"])
    assert new.known.tolist() == [1, 0]
    assert (dense(new.rows)[0] > 0).sum() >= 4


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


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_vocabulary_is_refused(name: str) -> None:
    damage = DAMAGED[name]
    whole = learn("vsm").vocabulary.model_dump(mode="json")
    document = whole | damage if isinstance(damage, dict) and name != "no extractor" else damage
    with pytest.raises(ValueError, match=r"not a vocabulary of|validation error"):
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
    assert split_words("गीत", unit="character") == ["गी", "त"]
    assert split_tokens("啊, 好!", unit="character") == ["啊", ",", "好", "!"]


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
    new = learnt.vocabulary.transform(["d b zebra", "a " * 9])
    assert new.rows.tolist() == [[6, 2, 1, 0, 0, 0], [3] * 6]
    assert new.known == pytest.approx([2 / 3, 1])


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


def test_words_have_vectors_of_norm_one_and_padding_and_the_unknown_word_are_drawn() -> None:
    one, other = (learn("w2v", TRAIN, "dim=300", seed=seed).word_vectors for seed in (0, 1 << 40))
    assert one is not None
    assert other is not None
    assert np.linalg.norm(one[2:], axis=1) == pytest.approx(np.ones(len(one) - 2), abs=1e-5)
    assert 0.2 < np.abs(one[:2]).max() <= 0.25
    # The square of a number that is uniform in ±0.25 is 1/48 on average.
    assert (one[:2] ** 2).mean(axis=1) == pytest.approx([1 / 48, 1 / 48], rel=0.2)
    assert (one != other).any(axis=1).all()


def test_vectors_that_come_from_elsewhere_get_a_norm_of_one_and_what_has_none_is_drawn() -> None:
    values = np.array([[3, 4], [0, 0], [2e30, 0], [0, 0]], np.float32)
    present = np.array([True, False, True, True])
    texts = TrainingTexts(["a a a a b b b c c d"], 0, lambda _: WordVectors(values, present, "f"))
    table = EXTRACTORS.get("w2v").fit(texts, W2vOptions()).word_vectors
    assert table is not None
    assert table[[2, 4, 5]] == pytest.approx(np.array([[0.6, 0.8], [1, 0], [0, 0]]), abs=1e-6)
    assert np.abs(table[[0, 1, 3]]).min() > 0
    assert np.abs(table[[0, 1, 3]]).max() <= 0.25


def test_word_vectors_of_earlier_versions_become_those_of_today() -> None:
    old = np.array([[0, 0], [0.1, -0.2], [3, 4], [0, 0]], np.float32)
    new = modernize_vectors(old, 0)
    assert new is not None
    assert new[1:] == pytest.approx(np.array([[0.1, -0.2], [0.6, 0.8], [0, 0]]), abs=1e-6)
    assert 0 < np.abs(new[0]).max() <= 0.25
    assert modernize_vectors(new, 0) is None


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
    pytest.importorskip("gensim")
    hashes = {
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": salt},
        ).stdout
        for salt in ("1", "2")
    }
    assert len(hashes) == 1


# ------------------------------------------------------------------- word vectors from elsewhere


def test_vectors_of_the_vocabulary_are_looked_up_and_the_rest_drawn() -> None:
    table = np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)
    known = {"rock": table[0], "jazz": table[1]}

    def look_up(rows: Mapping[str, int]) -> WordVectors:
        present = np.array([word in known for word in rows])
        values = np.array([known.get(word, np.zeros(5)) for word in rows], np.float32)
        assert [*rows.values()] == [*range(len(rows))]
        return WordVectors(values, present, "vectors")

    learnt = fit_w2v(TrainingTexts(["rock rock jazz polka"], 3, look_up), W2vOptions(dim=300))
    rows = learnt.word_vectors
    assert rows is not None
    assert learnt.vocabulary.model_dump()["words"] == ("rock", "jazz", "polka")
    assert learnt.vocabulary.model_dump()["options"]["dim"] == 5
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    assert rows[2:4] == pytest.approx(unit, abs=1e-6)
    assert 0 < np.abs(rows[[1, 4]]).max() <= 0.25
    assert "2 of 3 words have a vector in vectors (5 dimensions)" in learnt.remark


# ---------------------------------------------------------------------------------- parameters


def test_parameters_are_typed_and_checked() -> None:
    options = parse_options(VsmOptions, ["max_df=1", "unit=character", "words = 20"], "vsm")
    assert (options.max_df, options.unit, options.words) == (1, "character", 20)
    assert parse_options(VsmOptions, [], "vsm") == VsmOptions()


@pytest.mark.parametrize(
    ("override", "message", "hint"),
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
def test_a_parameter_that_is_wrong_is_asked_wrongly(override: str, message: str, hint: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_options(VsmOptions, [override], "vsm")
    assert message in str(caught.value)
    assert hint in caught.value.hint
