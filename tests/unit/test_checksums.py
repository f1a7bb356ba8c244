"""What a stage reads is what the stage before it wrote."""

import pytest
from stage.checksums import require_intact, seal, write_sums


@pytest.fixture
def sealed(tmp_path):
    folder = tmp_path / "adapter"
    (folder / "below").mkdir(parents=True)
    (folder / "weights").write_text("1")
    (folder / "below/more").write_text("2")
    seal(folder)
    (folder / ".snakemake_timestamp").write_text("")
    return folder


def test_intact(sealed):
    require_intact(sealed, "train")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weights", lambda path: path.write_text("3")),
        ("weights", lambda path: path.unlink()),
        ("below/more", lambda path: path.write_text("")),
        ("stray", lambda path: path.write_text("")),
        ("SHA256SUMS", lambda path: path.unlink()),
    ],
)
def test_not_intact(sealed, name, change):
    change(sealed / name)
    with pytest.raises(SystemExit, match=rf"^error: {sealed}/{name} is not what train .*--forcerun train"):
        require_intact(sealed, "train")


def test_files(tmp_path):
    paths = [tmp_path / name for name in ("train.jsonl", "test.jsonl")]
    for path in paths:
        path.write_text("{}\n")
    require_intact(paths[0], "format_task")  # somebody's own
    write_sums(tmp_path / "SHA256SUMS", {path.name: path for path in paths})
    paths[1].write_text("")
    require_intact(paths[0], "format_task")
    with pytest.raises(SystemExit, match=r"test.jsonl is not what format_task"):
        require_intact(paths[1], "format_task")
