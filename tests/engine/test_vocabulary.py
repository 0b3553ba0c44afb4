"""Codes of ids: the same as a dictionary would give, whatever was known before."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import vocabulary
from reconciler.vocabulary import HashTable, Vocabulary

IDS = st.lists(st.text(max_size=3), max_size=60)


@given(
    known=st.lists(st.text(max_size=3), unique=True, max_size=60), asked=st.lists(IDS, max_size=4), few=st.sampled_from((3, 5000))
)
def test_codes_are_those_of_a_dictionary(known: list[str], asked: list[list[str]], few: int) -> None:
    made, codes = Vocabulary(pa.array(known, pa.string())), {text: code for code, text in enumerate(known)}
    for ids in asked:
        with patch.object(vocabulary, "_FEW", few):  # how many new ones are found by letters before all are found by hashes
            given_codes = made.encode(pa.array(ids, pa.string()))
        assert given_codes.tolist() == [codes.setdefault(text, len(codes)) for text in ids]
        assert made.sure(given_codes, pa.array(ids, pa.string()))
    assert made.texts().to_pylist() == list(codes)
    assert len(made) == len(codes)


@given(
    known=st.lists(st.text(max_size=3), unique=True, max_size=60), asked=st.lists(st.none() | st.text(max_size=3), max_size=60)
)
def test_what_is_not_known_is_not_found(known: list[str], asked: list[str | None]) -> None:
    codes: dict[str | None, int] = {text: code for code, text in enumerate(known)}
    made = Vocabulary(pa.array(known, pa.string()))
    assert made.find(pa.array(asked, pa.string())).tolist() == [codes.get(text, -1) for text in asked]
    assert len(made) == len(known)


@given(
    hashes=st.lists(st.integers(-3, 3).map(lambda number: number << 61) | st.integers(-70, 70), unique=True, max_size=60),
    asked=st.lists(st.integers(-80, 80), max_size=60),
    left_out=st.integers(0, 3),
)
def test_a_table_tells_places_that_many_want_apart(hashes: list[int], asked: list[int], left_out: int) -> None:
    """Many of these want the first place, and the last ones are told by going round."""
    codes = {number: code for code, number in enumerate(hashes) if code >= left_out}
    table = HashTable(np.array(hashes, np.int64), np.arange(left_out, max(left_out, len(hashes))))
    wanted = [*hashes, *asked]
    assert table.find(np.array(wanted, np.int64)).tolist() == [codes.get(number, -1) for number in wanted]


def test_a_code_outlives_the_night() -> None:
    first = Vocabulary()
    first.encode(pa.array(["a", "b"]))
    second = Vocabulary(first.texts())
    assert second.encode(pa.array(["c", "b", "b", "a"])).tolist() == [2, 1, 1, 0]
    assert second.name(2) == "c"


@pytest.mark.parametrize("known", [["a", "b"], ["a"], []], ids=["both known", "one known", "none known"])
def test_known_ids_of_one_hash_are_told_apart_and_a_listed_one_is_never_taken_for_another(
    known: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, "_hashes", lambda texts: vocabulary.np.zeros(len(texts), "int64"))
    made = Vocabulary(pa.array(known, pa.string()))
    codes = made.encode(pa.array(["a"])), made.encode(pa.array(["b"]))
    assert len(known) == 1 or made.encode(pa.array(["a", "b"])).tolist() == [0, 1]
    told = [made.sure(code, pa.array([text])) for code, text in zip(codes, "ab", strict=True)]
    assert told == [True, len(known) != 1]
    assert (codes[0] != codes[1]) == (len(known) != 1)


@pytest.mark.parametrize(
    ("known", "codes"), [(["a", "b"], [1, 0, -1, -1]), (["a"], [-1, 0, -1, -1])], ids=["two of one hash", "one"]
)
def test_a_text_of_the_same_hash_is_not_found(known: list[str], codes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_hashes", lambda texts: vocabulary.np.zeros(len(texts), "int64"))
    assert Vocabulary(pa.array(known)).find(pa.array(["b", "a", "c", None])).tolist() == codes


@given(texts=st.lists(st.text(max_size=20), unique=True, max_size=60), skipped=st.integers(0, 5))
def test_a_text_has_one_hash_wherever_it_stands_and_no_other_text_has_it(texts: list[str], skipped: int) -> None:
    alone = [vocabulary._hashes(pa.array([text]))[0] for text in texts]
    assert vocabulary._hashes(pa.array(texts, pa.string()).slice(skipped)).tolist() == alone[skipped:]
    assert len(set(alone)) == len(texts)


def test_ids_that_differ_in_their_highest_bits_alone_have_hashes_of_their_own() -> None:
    """Whatever a product carries upwards and loses comes back down in the next one."""
    ids = [f"{a}0000000{b}000{c}0000{d}" for a in "0p@" for b in "0p@P" for c in "0p@P" for d in "0p@P"]
    assert len(set(vocabulary._hashes(pa.array(ids)).tolist())) == len(ids)
