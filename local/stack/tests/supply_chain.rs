//! What is built is what was reviewed: every way to cargo is `--locked`, every image has a digest, and everything that npm
//! and pip install has a hash in this repository. What the crates are is cargo-deny's business (`make licenses`, `deny.toml`).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file that somebody may run, or copy a command from.
fn tracked() -> Vec<String> {
    let listed = Command::new("git")
        .arg("-C")
        .arg(root())
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    assert!(files.iter().any(|path| path == "Makefile"), "git lists this repository");
    files
}

/// Lines of commands with their continuations, with file and number of the first.
fn commands() -> Vec<(String, String)> {
    let mut commands = Vec::new();
    let runs = |path: &String| {
        let name = path.rsplit('/').next().unwrap();
        let by_name = ["Makefile", "Dockerfile", "run"].contains(&name);
        by_name
            || [".sh", ".py", ".mjs", ".md", ".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
    };
    let lock = |path: &String| path.ends_with("package-lock.json");
    for path in tracked().into_iter().filter(|path| runs(path) && !lock(path)) {
        let text = read(&path).replace("\\\n", " ");
        let lines = (1..).zip(text.lines());
        commands.extend(lines.map(|(number, line)| (format!("{path}:{number}"), line.to_owned())));
    }
    commands
}

/// Cargo's subcommands that look at versions.
const RESOLVING: [&str; 13] = [
    "add", "bench", "build", "check", "clippy", "deny", "doc", "fetch", "install", "metadata", "run",
    "rustc", "test",
];

/// The commands of a line that name cargo, each up to the next one.
fn cargo_commands(line: &str) -> Vec<&str> {
    let ends = |text: &str| text.find(['|', ';', '`', '"', '\'']).unwrap_or(text.len());
    let mut found = Vec::new();
    for (at, _) in line.match_indices("cargo ") {
        let before = line[..at].chars().next_back();
        if before.is_none_or(|before| !before.is_alphanumeric() && before != '/' && before != '-') {
            let command = &line[at..];
            let command = &command[..ends(command)];
            found.push(command.split("&&").next().unwrap());
        }
    }
    found
}

#[test]
fn cargo_takes_the_locked_versions_wherever_it_is_called() {
    let mut seen = 0;
    for (place, line) in commands() {
        for command in cargo_commands(&line) {
            let mut words = command.split_whitespace().skip(1).filter(|word| !word.starts_with('+'));
            let subcommand = words.next().unwrap_or_default();
            let resolves = RESOLVING.contains(&subcommand)
                || subcommand == "lambda" && words.next() == Some("build")
                || subcommand == "--locked";
            // Prose says `cargo test` without arguments where it means the thing, not the command.
            if resolves && command.trim() != format!("cargo {subcommand}") {
                assert!(command.split_whitespace().any(|word| word == "--locked"), "{place}: {command}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 25, "{seen} commands were looked at");
    // cargo-mutants hands on what its configuration says.
    assert!(read(".cargo/mutants.toml").contains("additional_cargo_args = [\"--locked\"]"));
    let naked = "x && cargo build --workspace; cargo +nightly test -q | tee; `cargo run` a-cargo build";
    assert_eq!(cargo_commands(naked), ["cargo build --workspace", "cargo +nightly test -q ", "cargo run"]);
}

#[test]
fn images_are_named_by_their_digests() {
    let mut froms = 0;
    for path in tracked().into_iter().filter(|path| path.ends_with("Dockerfile")) {
        let text = read(&path);
        let arguments: Vec<(&str, &str)> =
            text.lines().filter_map(|line| line.strip_prefix("ARG ")?.split_once('=')).collect();
        let mut stages = Vec::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("FROM ")) {
            let mut words = line.split_whitespace().filter(|word| !word.starts_with("--"));
            let named = words.next().unwrap();
            let argument = named.strip_prefix("${").and_then(|name| name.strip_suffix('}'));
            let image = argument.map_or(named, |argument| {
                arguments.iter().find(|(name, _)| *name == argument).unwrap_or_else(|| panic!("{named}")).1
            });
            let digest = image.split_once("@sha256:").map(|(_, digest)| digest);
            let is_pinned = digest.is_some_and(|digest| {
                digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            assert!(
                is_pinned || image == "scratch" || stages.contains(&image),
                "{path}: FROM {line}: {image}"
            );
            froms += usize::from(is_pinned);
            stages.extend(words.nth(1));
        }
    }
    assert_eq!(froms, 2, "the one that compiles and the one that is gathered from");
}

/// A workspace member that is missing ends the build before it begins.
#[test]
fn the_image_s_build_gets_every_member_of_the_workspace() {
    let ignored = read(".dockerignore");
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
    let members: Vec<_> =
        members.trim_end_matches(']').split(',').map(|name| name.trim().trim_matches('"')).collect();
    assert!(members.len() >= 9, "{members:?}");
    for member in members {
        let top = member.split('/').next().unwrap();
        assert!(ignored.lines().any(|line| line == format!("!{top}")), "{member} is kept from the build");
    }
}

#[test]
fn npm_installs_what_the_lock_files_say_and_nothing_without_a_hash() {
    let files = tracked();
    let mut packages = 0;
    for path in files.iter().filter(|path| path.ends_with("package.json")) {
        let lock = path.replace("package.json", "package-lock.json");
        assert!(files.contains(&lock), "{path} has no {lock}");
        let lock_text: Value = serde_json::from_str(&read(&lock)).unwrap();
        for (name, package) in lock_text["packages"].as_object().unwrap() {
            if !name.is_empty() {
                let hash = package["integrity"].as_str().unwrap_or_default();
                assert!(hash.starts_with("sha512-"), "{lock}: {name} has no sha512");
                packages += 1;
            }
        }
    }
    assert!(packages >= 3, "{packages} packages");
    for (place, line) in commands() {
        for words in ["npm install", "npm i ", "npx ", "npm exec", "yarn add", "pnpm add"] {
            assert!(!line.contains(words), "{place}: npm ci takes what was locked: {line}");
        }
    }
}

#[test]
fn pip_installs_only_what_has_a_version_and_a_hash() {
    let files = tracked();
    let mut pinned = 0;
    for wanted in files.iter().filter(|path| path.ends_with("requirements.in")) {
        let lock = wanted.replace(".in", ".txt");
        let text = read(&lock).replace("\\\n", " ");
        let lines: Vec<_> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        for line in &lines {
            assert!(line.contains("==") && line.contains("--hash=sha256:"), "{lock}: {line}");
            pinned += 1;
        }
        for line in read(wanted).lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, version) = line.split_once("==").unwrap_or_else(|| panic!("{wanted}: {line}"));
            let locked = |one: &&&str| one.starts_with(&format!("{}=={version} ", name.to_lowercase()));
            assert!(lines.iter().any(|one| locked(&one)), "{lock} is older than {wanted}: {line}");
        }
    }
    assert!(pinned >= 100, "{pinned} packages");
    let unlocked: Vec<_> = files
        .iter()
        .filter(|path| path.ends_with("requirements.txt"))
        .filter(|path| !files.contains(&path.replace(".txt", ".in")))
        .collect();
    assert!(unlocked.is_empty(), "{unlocked:?}");
    for (place, line) in commands() {
        let is_command =
            ["bin/pip\" install", "pip3 install", "python3 -m pip"].iter().any(|words| line.contains(words));
        assert!(!is_command || line.contains("--require-hashes"), "{place}: {line}");
    }
}
