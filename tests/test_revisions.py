"""Files at git revisions, including the files they use."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from archscope import load
from archscope.errors import OptionError
from archscope.revisions import file_of, is_revision

SPEC = "extends: base.yaml\nlet: {width: %d}\n"
BASE = "input: [3, 8, 8]\nlet: {width: 1}\nlayers:\n- conv: {out: =width, kernel: %d}\n"


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits: width 4 with a kernel of 1, then width 6 with a kernel of 3."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "nets").mkdir()
    for width, kernel in ((4, 1), (6, 3)):
        (tmp_path / "nets" / "my net.yaml").write_text(SPEC % width)
        (tmp_path / "nets" / "base.yaml").write_text(BASE % kernel)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "change")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def params(word: str) -> int:
    with file_of(word) as file:
        return sum(node.own_params for node in load(file).nodes)


def test_a_spec_is_read_with_what_it_extends_at_its_revision(repository: Path) -> None:
    assert params("HEAD~1:nets/my net.yaml") == 4 * (3 + 1)
    assert params("main:nets/my net.yaml") == 6 * (27 + 1)
    (repository / "nets" / "base.yaml").unlink()
    assert params("HEAD:nets/my net.yaml") == 6 * (27 + 1)


def test_files_of_other_folders_are_read_at_the_revision(repository: Path) -> None:
    texts = {
        "common/net.yaml": BASE % 1,
        "other/between.yaml": "extends: ../common/net.yaml\nlet: {width: 5}\n",
        "own/net.yaml": "extends: ../other/between.yaml\n",
    }
    for name, text in texts.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "more")
    for name in texts:
        (repository / name).unlink()
    assert params("HEAD:own/net.yaml") == 5 * (3 + 1)
    with file_of("HEAD:own/net.yaml") as file:
        assert not (Path(file).parents[1] / "nets").exists()


def test_paths_are_from_the_top_or_from_the_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "nets")
    for path in ("nets/my net.yaml", "my net.yaml", "./my net.yaml", "../nets/my net.yaml"):
        assert params(f"HEAD~1:{path}") == 16


def test_other_words_stay_what_they_are(repository: Path) -> None:
    for word in (
        "resnet18",
        "nets/my net.yaml",
        "package.module:Net",
        "mynet.py:Net",
        "-",
        "a:b.py",
    ):
        assert not is_revision(word)
        with file_of(word) as same:
            assert same == word
    (repository / "a:b.yaml").write_text(BASE % 1)
    assert not is_revision("a:b.yaml")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nowhere:nets/base.yaml", "git: no revision 'nowhere'"),
        (
            "main:nets/none.yaml",
            "'nets/none.yaml' is not a file of the revision 'main',"
            " did you mean 'nets/my net.yaml'?",
        ),
        ("--help:nets/base.yaml", "git: no revision '--help'"),
    ],
)
def test_mistakes_are_one_line(repository: Path, word: str, message: str) -> None:
    with pytest.raises(OptionError) as error, file_of(word):
        pass
    assert str(error.value) == message


def test_errors_name_the_revision(repository: Path) -> None:
    (repository / "nets" / "base.yaml").write_text("layers: [cnov: 3]\n")
    git(repository, "commit", "-q", "-am", "broken")
    with (
        pytest.raises(OptionError, match=r"^HEAD:nets/base\.yaml:1:"),
        file_of("HEAD:nets/my net.yaml") as file,
    ):
        load(file)


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(OptionError, match="git: not a git repository"), file_of("main:a.yaml"):
        pass
