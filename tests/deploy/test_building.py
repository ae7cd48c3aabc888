"""`sam build`'s script, on machines that are not this one: other tools in the PATH, another processor, another system."""

import re

import pytest
from stack import ROOT

ELF = {"x86_64": 0x3E, "arm64": 0xB7}
#: Scripts that an operator runs on macOS too, where bash is 3.2 and the tools are BSD's.
PORTABLE = ["scripts/build-function.sh", "scripts/setup.sh", "scripts/venv.sh"]
#: What is not there, and what to write instead.
NOT_THERE = {
    r";;?&": "one branch after the other (bash 4)",
    r"\b(mapfile|readarray)\b": "a while read loop (bash 4)",
    r"\bdeclare -A\b|\blocal -n\b": "no associative arrays, no references (bash 4)",
    r"\$\{[a-zA-Z_]+(,,|\^\^|@[A-Z])\}": "tr (bash 4)",
    r"--no-run-if-empty|xargs[^|\n]* -r\b": "xargs does not run without input on BSD; give it a command that minds none",
    r"\binstall\b[^#\n]* -[a-zA-Z]*D": "mkdir -p and cp",
    r"readlink -f|realpath\b": "cd and pwd -P",
    r"sed [^|\n]*-i\b": "a new file and mv",
    r"\bsort [^|\n]*-V\b": "awk and sort -n",
    r"grep [^|\n]*-P\b": "sed",
    r"\bdate [^|\n]*(-d|--date)\b": "python",
    r"\bstat -c\b|cp [^|\n]*--parents|\bfind [^|\n]*-printf\b": "what POSIX has",
    r"\|&": "2>&1 | (bash 4)",
}


@pytest.mark.parametrize("script", PORTABLE)
def test_scripts_for_every_machine_use_what_every_machine_has(script):
    text = "\n".join(line.split(" # ")[0] for line in ROOT.joinpath(script).read_text().splitlines() if not line.lstrip().startswith("#"))
    for pattern, instead in NOT_THERE.items():
        found = re.search(pattern, text)
        assert not found, f"{script}: {found[0]!r} is not everywhere; use {instead}"
    # With `set -u`, bash 3.2 takes an empty array for an unset variable.
    for name in re.findall(r'(?<!\+)"\$\{([a-z_]+)\[@\]\}"', text):
        assert re.search(rf"^{name}=\([^)]", text, re.M), f"{script}: {name} may be empty; write ${{{name}[@]+\"${{{name}[@]}}\"}}"


def test_the_list_of_what_is_not_everywhere_finds_it():
    for bad in (
        "a) x ;&", "xargs -0 --no-run-if-empty touch", "install -D -m 755 a b", "readlink -f x", "sed -i s/a/b/ f", "sort -V", "mapfile -t x"
    ):  # fmt: skip
        assert any(re.search(pattern, bad) for pattern in NOT_THERE), bad


# ---------------------------------------------------------------------------------------------- building a function


@pytest.fixture
def machine(programs, tmp_path):
    """A project folder with the script, on a machine of choice."""
    (tmp_path / "scripts").mkdir()
    for script in PORTABLE:
        (tmp_path / script).write_text(ROOT.joinpath(script).read_text())
        (tmp_path / script).chmod(0o755)
    (tmp_path / "samconfig.toml").write_text(ROOT.joinpath("samconfig.toml").read_text())
    (tmp_path / "web" / "dist").mkdir(parents=True)
    (tmp_path / "web" / "dist" / "index.html").write_text("page")
    return Machine(programs, tmp_path)


class Machine:
    def __init__(self, programs, root):
        self.programs, self.root = programs, root

    def is_a(self, system, processor):
        self.programs.add("uname", f'[ "$1" = -s ] && echo {system} || echo {processor}')

    def has_cargo(self, lambda_too):
        made = "mkdir -p target/release target/lambda/api target/lambda/deployment; for at in target/release/api target/release/deployment"
        made += " target/lambda/api/bootstrap target/lambda/deployment/bootstrap; do echo built >$at; done"
        self.programs.add("cargo", f'echo "RUSTFLAGS=$RUSTFLAGS" >>"{self.root}/flags"; {made}')
        if lambda_too:
            self.programs.add("cargo-lambda", "exit 0")

    def build(self, binary="api", **environment):
        artifacts = self.root / "artifacts"
        self.artifacts = artifacts
        return self.programs.run(
            self.root / "scripts" / "build-function.sh", binary, cwd=self.root, ARTIFACTS_DIR=str(artifacts),
            RUSTFLAGS="-Clink-arg=-fuse-ld=lld", **environment,
        )  # fmt: skip


@pytest.mark.parametrize("system, processor", [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64")])
@pytest.mark.parametrize("architecture, triple", [("arm64", "aarch64-unknown-linux-gnu"), ("x86_64", "x86_64-unknown-linux-gnu")])
def test_with_cargo_lambda_every_machine_builds_for_every_processor(machine, system, processor, architecture, triple):
    machine.is_a(system, processor)
    machine.has_cargo(lambda_too=True)
    result = machine.build(ARCHITECTURE=architecture)
    assert result.returncode == 0, result.stdout
    (command,) = machine.programs.log("cargo")
    assert command == f"lambda build --locked --quiet --release --package headwater-functions --bins --target {triple}"
    assert (machine.artifacts / "bootstrap").read_text() == "built\n"
    # Our default linker is not everybody's.
    assert (machine.root / "flags").read_text() == "RUSTFLAGS=\n"


def test_plain_sam_build_builds_for_what_plain_sam_deploy_deploys(machine):
    machine.is_a("Linux", "x86_64")
    machine.has_cargo(lambda_too=True)
    assert machine.build().returncode == 0
    assert "aarch64-unknown-linux-gnu" in machine.programs.log("cargo")[-1]
    config = machine.root / "samconfig.toml"
    config.write_text(config.read_text().replace("Architecture=arm64", "Architecture=x86_64"))
    assert machine.build().returncode == 0
    assert "x86_64-unknown-linux-gnu" in machine.programs.log("cargo")[-1]
    config.write_text(config.read_text().replace("Architecture=x86_64", "Architecture=arm64", 1))
    result = machine.build()
    assert result.returncode != 0 and "samconfig.toml must say one everywhere" in result.stdout


def test_the_architecture_is_in_every_environment_of_samconfig():
    text = ROOT.joinpath("samconfig.toml").read_text()
    overrides = re.findall(r"parameter_overrides = \[(.*)\]", text)
    assert len(overrides) == 5 and all('"Architecture=' in one for one in overrides)


def test_without_cargo_lambda_linux_builds_for_itself_with_the_functions_alone(machine):
    machine.is_a("Linux", "x86_64")
    machine.has_cargo(lambda_too=False)
    assert machine.build(ARCHITECTURE="x86_64").returncode == 0
    assert machine.programs.log("cargo") == ["build --locked --quiet --release --package headwater-functions --bins"]


@pytest.mark.parametrize(
    "system, processor, architecture, words",
    [
        ("Linux", "x86_64", "arm64", "this machine (Linux x86_64) cannot build for arm64 by itself"),
        ("Darwin", "arm64", "arm64", "this machine (Darwin arm64) cannot build for arm64 by itself"),
        ("Darwin", "x86_64", "x86_64", "brew install cargo-lambda"),
        ("Linux", "aarch64", "x86_64", "python3 -m venv"),
        ("Linux", "x86_64", "riscv", "ARCHITECTURE is arm64 or x86_64, not riscv"),
    ],
)
def test_what_a_machine_cannot_build_is_refused_before_anything_is_compiled(machine, system, processor, architecture, words):
    machine.is_a(system, processor)
    machine.has_cargo(lambda_too=False)
    result = machine.build(ARCHITECTURE=architecture)
    assert result.returncode != 0 and words in result.stdout, result.stdout
    assert machine.programs.log("cargo") == []


def test_the_page_is_made_before_anything_is_compiled(machine):
    machine.is_a("Linux", "x86_64")
    machine.has_cargo(lambda_too=True)
    (machine.root / "web" / "dist" / "index.html").unlink()
    result = machine.build()
    assert result.returncode != 0 and "npm is missing" in result.stdout, result.stdout
    assert machine.programs.log("cargo") == []
    machine.programs.add("npm", 'case "$*" in *build*) mkdir -p dist && echo made >dist/index.html ;; ci*) mkdir -p node_modules ;; esac')
    (machine.root / "web" / "package-lock.json").write_text("{}")
    result = machine.build("deployment")
    assert result.returncode == 0, result.stdout
    assert (machine.artifacts / "site" / "index.html").read_text() == "made\n"


def test_a_glibc_that_lambda_does_not_have_is_refused(machine):
    machine.is_a("Linux", "x86_64")
    machine.has_cargo(lambda_too=False)
    symbols = "\\n".join(f"0 DF *UND* 0 (GLIBC_{version}) f" for version in ("2.2.5", "2.9", "2.39"))
    machine.programs.add("objdump", f'printf "{symbols}\\n"')
    result = machine.build(ARCHITECTURE="x86_64")
    assert result.returncode != 0 and "api needs glibc 2.39, Lambda has 2.34; install cargo-lambda" in result.stdout, result.stdout
    machine.programs.add("objdump", 'printf "0 DF *UND* 0 (GLIBC_2.34) f\\n0 DF *UND* 0 (GLIBC_2.4) f\\n"')
    assert machine.build(ARCHITECTURE="x86_64").returncode == 0
