//! No file of a crate stands on one that stands on it.
//!
//! A folder's files may stand on their own `mod.rs`, which owns them and is read first; nothing else may lead back to where
//! it began. Read from the text: what a `use` names, and each path in the code that begins with a module of the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module's path within its crate; the root's is empty.
type ModulePath = Vec<String>;

/// Where our crates and programs begin.
const ROOTS: [&str; 15] = [
    "conformance/src/lib.rs",
    "crates/aws/src/lib.rs",
    "crates/domain/src/lib.rs",
    "crates/hls/src/lib.rs",
    "crates/rtmp/src/lib.rs",
    "crates/task/src/lib.rs",
    "functions/src/lib.rs",
    "fuzz/src/lib.rs",
    "local/emulators/src/lib.rs",
    "local/stack/src/lib.rs",
    "local/stack/src/bin/headwater-local/main.rs",
    "tools/bench/main.rs",
    "tools/drill/main.rs",
    "tools/soak/main.rs",
    "transcoder/src/lib.rs",
];
/// Names that one name may lead on to by `pub use`, before it is a circle of names.
const MAX_HOPS: usize = 8;

/// A name that a module brings into its scope.
struct Import {
    name: String,
    path: ModulePath,
    public: bool,
}

struct Module {
    imports: Vec<Import>,
    /// Paths in its code, apart from those of its imports.
    paths: Vec<ModulePath>,
}

/// The modules of a crate.
struct Modules(BTreeMap<ModulePath, Module>);

impl Modules {
    fn read(root: &Path) -> Self {
        let folder = root.parent().unwrap();
        let mut texts = BTreeMap::from([(Vec::new(), code(&std::fs::read_to_string(root).unwrap()))]);
        let mut open = vec![(folder.to_owned(), Vec::new())];
        while let Some((folder, path)) = open.pop() {
            for entry in std::fs::read_dir(&folder).unwrap().flatten() {
                let file = entry.path();
                let mut inner: ModulePath = path.clone();
                inner.push(file.file_stem().unwrap().to_string_lossy().into_owned());
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_program = path.is_empty() && ["bin", "main.rs", "lib.rs"].contains(&name.as_str());
                if is_program || inner.last().is_some_and(|name| name == "tests") {
                    continue;
                }
                if file.is_dir() {
                    open.push((file, inner));
                } else if name.ends_with(".rs") {
                    let module = if name == "mod.rs" { path.clone() } else { inner };
                    texts.insert(module, code(&std::fs::read_to_string(&file).unwrap()));
                }
            }
        }
        Self(texts.into_iter().map(|(path, text)| (path, Module::read(&text))).collect())
    }

    /// A path as written in `module`, from the crate's root on; `None` if it leads out of the crate.
    fn absolute(&self, module: &ModulePath, path: &[String]) -> Option<ModulePath> {
        let mut base = module.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => return Some(rest[1..].to_vec()),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                base.push(first.to_owned());
                let is_child = self.0.contains_key(&base);
                base.pop();
                if !is_child {
                    let import =
                        self.0[module].imports.iter().find(|one| one.name == first && one.path != path)?;
                    let mut whole = self.absolute(module, &import.path)?;
                    whole.extend_from_slice(&rest[1..]);
                    return Some(whole);
                }
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The module that says what `path` is, through all `pub use`.
    fn definer(&self, path: &[String], hops: usize) -> Option<ModulePath> {
        let module = (0..=path.len())
            .rev()
            .map(|length| path[..length].to_vec())
            .find(|one| self.0.contains_key(one))?;
        let Some(name) = path.get(module.len()).filter(|_| hops > 0) else { return Some(module) };
        match self.0[&module].imports.iter().find(|one| one.name == *name) {
            None => Some(module),
            Some(import) => {
                let mut whole = self.absolute(&module, &import.path)?;
                whole.extend_from_slice(&path[module.len() + 1..]);
                self.definer(&whole, hops - 1)
            }
        }
    }

    /// Which modules each stands on, and by which name.
    fn arrows(&self) -> BTreeMap<ModulePath, BTreeMap<ModulePath, String>> {
        let mut arrows: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (from, module) in &self.0 {
            // What a folder shows of its own files it does not stand on.
            let used = module.imports.iter().filter(|one| !one.public).map(|one| &one.path);
            for path in used.chain(&module.paths) {
                let Some(path) = self.absolute(from, path) else { continue };
                // An imported module is stood on where its name is used.
                let Some(to) = self.definer(&path, MAX_HOPS).filter(|to| *to != path) else { continue };
                if !from.starts_with(&to) {
                    arrows.entry(from.clone()).or_default().insert(to, path.last().unwrap().clone());
                }
            }
        }
        arrows
    }

    /// The arrows that are part of a circle, or between two.
    fn circles(&self) -> Vec<String> {
        let mut arrows = self.arrows();
        loop {
            let from: BTreeSet<_> = arrows.keys().cloned().collect();
            let to: BTreeSet<_> = arrows.values().flat_map(BTreeMap::keys).cloned().collect();
            arrows.retain(|one, _| to.contains(one));
            arrows.values_mut().for_each(|all| all.retain(|one, _| from.contains(one)));
            arrows.retain(|_, all| !all.is_empty());
            let left: BTreeSet<_> = arrows.keys().cloned().collect();
            if left == from && arrows.values().flat_map(BTreeMap::keys).all(|one| left.contains(one)) {
                break;
            }
        }
        let told = |(from, all): (ModulePath, BTreeMap<ModulePath, String>)| {
            let from = from.join("::");
            all.into_iter().map(move |(to, name)| format!("{from} takes {name} from {}", to.join("::")))
        };
        arrows.into_iter().flat_map(told).collect()
    }
}

impl Module {
    fn read(text: &str) -> Self {
        let (mut imports, mut rest) = (Vec::new(), String::new());
        let statements = text.split_inclusive(';');
        for statement in statements {
            let Some(at) = begin_of_use(statement) else {
                rest += statement;
                continue;
            };
            rest += &statement[..at];
            let (visibility, tree) = statement[at..].trim_end_matches(';').split_once("use ").unwrap();
            expand(tree, &[], !visibility.is_empty(), &mut imports);
        }
        let is_name = |one: char| one.is_alphanumeric() || one == '_' || one == ':';
        let written = rest.split(|one: char| !is_name(one)).filter(|one| one.contains("::"));
        let paths = written.map(|one| one.split("::").map(str::to_owned).collect::<ModulePath>());
        let paths = paths.filter(|path| path.iter().all(|one| !one.is_empty() && !one.contains(':')));
        Self { imports, paths: paths.collect() }
    }
}

/// Where a statement that ends a piece of text is a `use`.
fn begin_of_use(statement: &str) -> Option<usize> {
    let at = statement.rfind("use ")?;
    let line = statement[..at].rfind('\n').map_or(0, |end| end + 1);
    let before = statement[line..at].trim();
    let is_visibility = before.is_empty() || before.starts_with("pub");
    (is_visibility && !statement[at..].contains('=')).then_some(line)
}

/// What a tree of names brings into scope.
fn expand(tree: &str, before: &[String], public: bool, imports: &mut Vec<Import>) {
    let tree = tree.trim();
    let (head, inner) =
        tree.split_once('{').map_or((tree, None), |(head, rest)| (head, rest.strip_suffix('}')));
    let (head, alias) = head.split_once(" as ").map_or((head, None), |(head, alias)| (head, Some(alias)));
    let names = head.split("::").map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned);
    let mut path: ModulePath = before.iter().cloned().chain(names).collect();
    if let Some(inner) = inner {
        let (mut depth, mut begin) = (0_usize, 0);
        for (at, one) in inner.char_indices().chain([(inner.len(), ',')]) {
            match one {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&inner[begin..at], &path, public, imports);
                    begin = (at + 1).min(inner.len());
                }
                _ => {}
            }
        }
        return;
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self" || last == "*") {
        path.pop();
    }
    if let Some(last) = path.last().filter(|_| !tree.is_empty()) {
        imports.push(Import { name: alias.unwrap_or(last).trim().to_owned(), path, public });
    }
}

/// A file's text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let line = |line: &str| match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_two_files_stand_on_each_other() {
    let mut found = Vec::new();
    for root in ROOTS {
        let modules = Modules::read(&super::root().join(root));
        let arrows: usize = modules.arrows().values().map(BTreeMap::len).sum();
        assert!(modules.0.len() < 5 || arrows > modules.0.len() / 2, "{root}: {arrows} arrows were seen");
        found.extend(modules.circles().into_iter().map(|told| format!("{root}: {told}")));
    }
    assert!(found.is_empty(), "files that lead back to themselves:\n{}", found.join("\n"));
}

#[test]
fn circles_are_seen() {
    let modules = |texts: &[(&str, &str)]| {
        let path = |text: &str| text.split("::").filter(|one| !one.is_empty()).map(str::to_owned).collect();
        Modules(texts.iter().map(|(name, text)| (path(name), Module::read(&code(text)))).collect())
    };
    let there = [
        ("", "mod a;\nmod b;\npub use b::B;"),
        ("a", "use super::B;\n\npub struct A(B);"),
        ("b", "// use crate::a::A;\npub struct B;\nfn f() { crate::a::g() }\n#[cfg(test)]\nmod tests {\n}"),
    ];
    assert_eq!(modules(&there).circles(), ["a takes B from b", "b takes g from a"], "through a `pub use`");
    let (root, a) = (there[0], there[1]);
    assert!(modules(&[root, a, ("b", "pub struct B;\n// crate::a::A")]).circles().is_empty());
    let folder = [("", "mod f;"), ("f", "mod g;\nuse g::G;\npub struct F(G);"), ("f::g", "use super::F;")];
    assert!(modules(&folder).circles().is_empty(), "a file may stand on its folder's own");
    let named = [
        ("", ""),
        ("a", "use crate::{b::{self, C}, x};\nfn f() { b::g() }"),
        ("b", "use crate::a as c;\nfn g() { c::f() }"),
    ];
    assert_eq!(modules(&named).circles().len(), 2);
}
