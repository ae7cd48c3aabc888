"""What `docker build` sees of the repository is enough to compile, and not more than that."""

import os
import re
import shutil
import subprocess

import context
from stack import ROOT


def test_the_context_has_every_member_of_the_workspace(tmp_path):
    context.copy(tmp_path)
    cargo = shutil.which("cargo") or os.path.expanduser("~/.cargo/bin/cargo")
    result = subprocess.run(
        [cargo, "metadata", "--locked", "--format-version", "1", "--no-deps"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    members = re.search(r"members = \[(.*?)\]", ROOT.joinpath("Cargo.toml").read_text())[1]
    assert result.stdout.count('"manifest_path"') >= members.count(",") + 1


def test_what_the_compiler_reads_from_elsewhere_is_in_the_context():
    there = set(context.files())
    for path in [*ROOT.glob("*/src/**/*.rs"), *ROOT.glob("crates/*/src/**/*.rs"), *ROOT.glob("local/*/src/**/*.rs"), *ROOT.glob("tools/**/*.rs")]:
        for included in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', path.read_text()):
            found = os.path.relpath((path.parent / included).resolve(), ROOT)
            assert found in there, f"{path.relative_to(ROOT)} includes {found}, which .dockerignore leaves out"


def test_the_context_has_nothing_that_no_build_needs():
    for name in context.files():
        assert not re.match(r"(\.git/|web/|tests/|test-artifacts/|\.aws-sam/|fuzz/corpus/)|.*/(node_modules|target)/", name), name


def test_patterns_are_read_as_docker_reads_them():
    given = [(True, context.pattern("*")), (False, context.pattern("crates")), (True, context.pattern("**/target"))]
    for path, there in (
        ("Makefile", False),
        ("docs/a.md", False),
        ("crates/rtmp/src/lib.rs", True),
        ("crates/target/x", False),
        ("crates/rtmp/target/debug/x", False),
        ("crates/targets.rs", True),
    ):
        assert context.sent(path, given) == there, path
