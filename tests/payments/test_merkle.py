"""The tree over the seals: a path proves its own leaf under a root, and nothing else."""

import pytest

from payments import merkle

LEAVES = [bytes([number]) * 32 for number in range(40)]

# The example tree of RFC 6962's test vectors (Certificate Transparency): inputs, and the root over the first n of them.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def test_roots_are_those_of_the_standards_examples() -> None:
    found = dict(merkle.roots([bytes.fromhex(each) for each in INPUTS], ROOTS))
    assert {size: root.hex() for size, root in found.items()} == ROOTS


@pytest.mark.parametrize("size", range(1, 41))
def test_every_path_leads_to_the_root_and_to_no_other_place(size: int) -> None:
    data = LEAVES[:size]
    root = merkle.root(data)
    for index, path in merkle.paths(data, range(size)).items():
        assert merkle.climb(data[index], index=index, size=size, path=path) == root
        assert merkle.climb(b"x" * 32, index=index, size=size, path=path) != root
        assert merkle.climb(data[index], index=index, size=size, path=[*path, b"x" * 32]) is None
        assert merkle.climb(data[index], index=(index + 1) % (size + 1), size=size, path=path) != root
        if path:
            assert merkle.climb(data[index], index=index, size=size, path=path[:-1]) is None


def test_an_empty_list_has_a_root_and_no_leaf() -> None:
    assert merkle.root([]) == merkle.EMPTY
    assert merkle.climb(LEAVES[0], index=0, size=0, path=[]) is None
