"""What a killed stage left behind is used as far as it is intact."""

import pytest
from stage.resume import left_behind, resumed

ITEMS = [["é", 3, False], ["</x>\n", 8, True], ["", 1, False], ["a", 2, False], ["b", 1, True]]


def run(path, size=2):
    """The items, and the starts that had to be made."""
    asked = []

    def make(starts):
        for start in starts:
            asked.append(start)
            yield from ITEMS[start : start + size]

    return list(resumed(path, make, range(0, len(ITEMS), size), size)), asked


def test_all_of_it(tmp_path):
    assert run(tmp_path / "new/file") == (ITEMS, [0, 2, 4])
    assert run(tmp_path / "new/file") == (ITEMS, [])


@pytest.mark.parametrize("cut", range(1, 400, 13))
def test_cut_off_anywhere(tmp_path, cut):
    path = tmp_path / "file"
    run(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    complete = whole[:-cut].count(b"\n") if cut < len(whole) else 0
    assert left_behind(path) == [ITEMS[0:2], ITEMS[2:4], ITEMS[4:]][:complete]
    assert run(path) == (ITEMS, [0, 2, 4][complete:])
    assert path.read_bytes() == whole


def test_damaged(tmp_path):
    path = tmp_path / "file"
    run(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b", 1, false", b", 2, false"))
    assert run(path) == (ITEMS, [2, 4])
    path.write_bytes(b"\xff\xfe" + whole)
    assert run(path) == (ITEMS, [0, 2, 4])
    assert path.read_bytes() == whole


def test_stopped_midway(tmp_path):
    """Items of a batch that was not completed are made again."""
    path = tmp_path / "file"
    made = resumed(path, lambda starts: (ITEMS[start + i] for start in starts for i in range(2)), range(0, 4, 2), 2)
    assert [next(made) for _ in range(3)] == ITEMS[:3]
    made.close()
    assert left_behind(path) == [ITEMS[0:2], ITEMS[2:4]]
