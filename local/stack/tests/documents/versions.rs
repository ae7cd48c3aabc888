//! One version, named in several places that people copy commands from, and one image to build in.

use super::repository::text;

/// The version that the workspace has.
fn version() -> String {
    let manifest = text("Cargo.toml").unwrap();
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = \"")).unwrap();
    line.trim_end_matches('"').to_owned()
}

/// What follows `before` in a text, up to the first character that no version has.
fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let ends = |rest: &'a str| {
        let end = rest.find(|one: char| one != '.' && !one.is_ascii_digit()).unwrap_or(rest.len());
        &rest[..end]
    };
    text.match_indices(before)
        .map(|(at, _)| ends(&text[at + before.len()..]))
        .filter(|named| named.starts_with(|one: char| one.is_ascii_digit()))
        .collect()
}

#[test]
fn one_version_is_named_everywhere() {
    let version = version();
    for (path, before, at_least) in [
        ("samconfig.toml", "ImageTag=", 5),
        ("README.md", "IMAGE_TAG=", 1),
        ("docs/operations.md", "IMAGE_TAG=", 1),
    ] {
        let text = text(path).unwrap();
        let found = named(&text, before);
        assert!(found.len() >= at_least, "{path} names {before} {} times", found.len());
        assert!(found.iter().all(|one| *one == version), "{path}: {before} is not {version}: {found:?}");
    }
    for path in ["web/package.json", "tests/browser/package.json"] {
        let (package, lock) = (text(path).unwrap(), text(&path.replace(".json", "-lock.json")).unwrap());
        assert_eq!(named(&package, "\"version\": \"").first(), Some(&version.as_str()), "{path}");
        // The lock file has it twice at its head, before the packages that are installed.
        assert_eq!(named(&lock, "\"version\": \"")[..2], [version.as_str(); 2], "{path}'s lock file");
    }
    let locked = text("Cargo.lock").unwrap();
    let ours = locked.split("[[package]]").filter(|package| package.contains("\nname = \"headwater-"));
    for package in ours {
        assert!(package.contains(&format!("\nversion = \"{version}\"\n")), "Cargo.lock: {package}");
    }
}

/// One image to build in, everywhere; and what the forge runs is what was looked at.
#[test]
fn workflows_and_containers_name_the_image_of_the_dockerfile_and_actions_by_their_commits() {
    let dockerfile = text("transcoder/Dockerfile").unwrap();
    let image = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST_IMAGE=")).unwrap();
    let (mut images, mut actions) = (0, 0);
    for path in [".devcontainer/devcontainer.json", ".github/workflows/ci.yml"] {
        for line in text(path).unwrap().lines() {
            let line = line.trim();
            if line.starts_with("image: ") || line.starts_with("\"image\": ") {
                assert!(line.contains(&format!("docker.io/library/{image}")), "{path}: {line}: not {image}");
                images += 1;
            }
            if let Some((_, action)) = line.split_once("uses: ") {
                let commit =
                    action.split_once('@').map_or("", |(_, commit)| commit.split(' ').next().unwrap());
                let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(
                    is_commit && action.contains(" # v"),
                    "{path}: {line}: an action is named by its commit"
                );
                actions += 1;
            }
        }
    }
    assert!(images == 2 && actions >= 2, "{images} images, {actions} actions");
}

#[test]
fn the_changelog_has_a_section_for_the_version() {
    let changelog = text("CHANGELOG.md").unwrap();
    let sections: Vec<_> = changelog.lines().filter_map(|line| line.strip_prefix("## [")).collect();
    let start = format!("{}] - ", version());
    let has = sections.iter().take(2).any(|section| section.starts_with(&start));
    assert!(has, "neither of the two topmost sections of CHANGELOG.md is `## [{start}<date>`: {sections:?}");
}
