from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artcluster.executors import claim_table
from artcluster.executors.claim_table import ClaimTable, digests
from artcluster.runtime.executor import Claim

CONTENTS = [sha256(bytes([number])).hexdigest() for number in range(24)]
CONTENTS += ["00" * 32, "ff" * 32, "ab" * 15 + "00" * 17]


@given(
    committed=st.lists(st.sampled_from(CONTENTS), max_size=10),
    asked=st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from(CONTENTS), max_size=8)),
        max_size=12,
    ),
    loose=st.integers(0, 5),
)
def test_answers_equal_those_of_a_dict(committed, asked, loose):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claim_table, "_LOOSE_AT_LEAST", loose)
        table = ClaimTable()
        table.add_committed(digests(committed))
        owners = dict.fromkeys(committed, "the store")
        for part, contents in asked:
            expected = []
            for content in contents:
                owner = owners.setdefault(content, part)
                expected.append(
                    Claim.COMMITTED
                    if owner == "the store"
                    else Claim.YOURS
                    if owner == part
                    else Claim.IN_FLIGHT
                )
            assert table.claim(part, digests(contents)).tolist() == expected


def test_digests_are_the_first_half():
    found = digests(CONTENTS)
    assert found.tobytes() == b"".join(bytes.fromhex(content)[:16] for content in CONTENTS)
    assert len(digests([])) == 0


def test_a_content_id_of_another_length_is_refused():
    with pytest.raises(ValueError, match="64 hexadecimal"):
        digests(["ab"])


def test_memory_a_committed_content():
    table = ClaimTable()
    rng = np.random.default_rng(0)
    table.add_committed(rng.integers(0, 256, (50_000, 16), np.uint8).view("S16").ravel())
    table.claim("a", digests(CONTENTS))
    assert (table._keys.nbytes + table._owners.nbytes) / len(table._keys) == 20
