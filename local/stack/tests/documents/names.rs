//! What documents name exists: tests, files, log lines, metrics, fields, commands. History (decisions, changelog) may name
//! what is gone.

use std::collections::BTreeMap;

use super::repository::{alternatives, documents, files, prose, spans, text};

/// Endings of names that are files, wherever they stand.
const ENDINGS: [&str; 8] = [".rs", ".py", ".sh", ".mjs", ".json", ".yaml", ".toml", ".md"];

fn is_history(path: &str) -> bool {
    path == "CHANGELOG.md" || path.starts_with("docs/adr/0")
}

/// The source files with their texts.
fn sources(endings: &[&str]) -> BTreeMap<String, String> {
    let all = files().into_iter().filter(|path| endings.iter().any(|end| path.ends_with(end)));
    all.filter_map(|path| text(&path).map(|text| (path, text))).collect()
}

/// Whether a span is meant as a file or folder of the repository.
fn is_path(span: &str, tops: &[String]) -> bool {
    let odd = |one: char| one.is_whitespace() || "<>…$~:()=|".contains(one);
    if !span.contains('/') || span.contains(odd) || span.starts_with('/') || span.contains("://") {
        return false;
    }
    let top = span.split('/').next().unwrap_or_default();
    ENDINGS.iter().any(|end| span.ends_with(end)) || tops.iter().any(|one| one == top)
}

/// Whether a file or folder of this name, or with this end of a name, is there; `*` stands for anything.
fn exists(path: &str, files: &[String]) -> bool {
    let path = path.trim_end_matches('/');
    if let Some((before, after)) = path.split_once('*') {
        return files.iter().any(|file| {
            file.find(before).is_some_and(|at| at == 0 || file[..at].ends_with('/')) && file.ends_with(after)
        });
    }
    files.iter().any(|file| {
        let file = format!("/{file}/");
        file.contains(&format!("/{path}/"))
    })
}

#[test]
fn files_that_documents_name_are_there() {
    let files = files();
    let tops: Vec<String> = files
        .iter()
        .filter_map(|path| path.split_once('/').map(|(top, _)| top.to_owned()))
        .filter(|top| top != "target")
        .collect();
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in documents().into_iter().filter(|path| !is_history(path)) {
        let text = text(&document).unwrap();
        // The glossary's words of before may be files.
        for (number, line) in prose(&text).into_iter().filter(|(_, line)| !line.starts_with("Not used: ")) {
            for span in spans(line).into_iter().filter(|span| is_path(span, &tops)) {
                seen += 1;
                let lost = alternatives(span).into_iter().filter(|path| !exists(path, &files));
                wrong.extend(lost.map(|path| format!("{document}:{number}: there is no {path}")));
            }
        }
    }
    assert!(seen > 100, "{seen} names were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a reference such as `hangs::a_table_…` or `run::upload` leads to a test, or to a file of them.
fn is_test(reference: &str, sources: &BTreeMap<String, String>) -> bool {
    let mut modules: Vec<_> = reference.split("::").filter(|module| *module != "tests").collect();
    let last = modules.last().copied().unwrap_or_default();
    let function = (last.contains('…') || !modules_have(sources, &modules)).then(|| modules.pop().unwrap());
    sources.iter().any(|(path, text)| {
        let parts: Vec<_> = path.trim_end_matches(".rs").split('/').collect();
        let mut at = parts.iter();
        let lies_there = modules.iter().all(|module| at.any(|part| part == module));
        lies_there
            && function.is_none_or(|function| {
                let (start, is_whole) =
                    function.split_once('…').map_or((function, true), |(start, _)| (start, false));
                text.match_indices(&format!("fn {start}"))
                    .any(|(found, _)| !is_whole || text[found + 3 + start.len()..].starts_with(['(', '<']))
            })
    })
}

fn modules_have(sources: &BTreeMap<String, String>, modules: &[&str]) -> bool {
    sources.keys().any(|path| {
        let mut parts = path.trim_end_matches(".rs").split('/');
        modules.iter().all(|module| parts.any(|part| part == *module))
    })
}

/// The lines of a document's items `- **Test**: …`, each with what is indented below it, and the heading they stand under.
fn items(text: &str) -> Vec<(usize, String, String)> {
    let (mut items, mut heading, mut open) = (Vec::new(), String::new(), false);
    for (number, line) in prose(text) {
        if line.starts_with('#') {
            heading = line.trim_start_matches('#').trim().to_owned();
        }
        if let Some(named) = line.strip_prefix("- **Test**: ") {
            items.push((number, heading.clone(), named.to_owned()));
            open = true;
        } else if open && line.starts_with("  ") {
            items.last_mut().unwrap().2 += line;
        } else {
            open = false;
        }
    }
    items
}

#[test]
fn tests_that_failures_and_promises_name_are_there() {
    let sources = sources(&[".rs"]);
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in ["docs/failures.md", "docs/semantics.md"] {
        for (number, _, named) in items(&text(document).unwrap()) {
            let spans = spans(&named);
            let is_told = !spans.is_empty() || named.contains("simulation") || named.starts_with("none; ");
            if !is_told {
                wrong.push(format!("{document}:{number}: names no test"));
            }
            let is_reference = |span: &&str| {
                let plain = |one: char| one.is_ascii_alphanumeric() || "_:…".contains(one);
                span.chars().all(plain) && (span.contains("::") || span.ends_with('…'))
            };
            for reference in spans.into_iter().filter(is_reference) {
                seen += 1;
                if !is_test(reference, &sources) {
                    wrong.push(format!("{document}:{number}: there is no test {reference}"));
                }
            }
        }
    }
    assert!(seen > 100, "{seen} tests were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A section that says what somebody sees says as well what proves it.
#[test]
fn every_failure_and_every_promise_names_its_test() {
    for document in ["docs/failures.md", "docs/semantics.md"] {
        let text = text(document).unwrap();
        let proved: Vec<_> = items(&text).into_iter().map(|(_, heading, _)| heading).collect();
        let sections: Vec<&str> = text.split("\n### ").skip(1).collect();
        assert!(sections.len() > 15, "{document}");
        for section in sections {
            let heading = section.lines().next().unwrap();
            let claims =
                ["- **Encoder**", "- **Viewers**", "- **Operator**", "- **Bound**", "- **What must hold**"];
            let is_claim =
                document.ends_with("semantics.md") || claims.iter().any(|claim| section.contains(claim));
            assert!(
                !is_claim || proved.iter().any(|one| one == heading),
                "{document}: {heading}: no line `- **Test**: …`"
            );
        }
    }
}

#[test]
fn what_debugging_names_is_in_the_code() {
    let code: String =
        sources(&[".rs", ".yaml", ".json", ".py", ".sh", ".js", "Makefile"]).into_values().collect();
    let (makefile, files) = (text("Makefile").unwrap(), files());
    let orders = text("local/stack/src/bin/headwater-local/ctl.rs").unwrap().to_lowercase();
    let (mut seen, mut wrong) = (0, Vec::new());
    let document = text("docs/debugging.md").unwrap();
    for (number, line) in prose(&document) {
        for span in spans(line) {
            seen += 1;
            let words: Vec<_> = span.split_whitespace().filter(|word| *word != "headwater-local").collect();
            let is_there = match words[..] {
                ["make", target, ..] => makefile.contains(&format!("\n{target}:")),
                ["ctl", "--help"] => true,
                ["ctl", order, ..] => {
                    [" {", ",", "("].iter().any(|end| orders.contains(&format!("    {order}{end}")))
                }
                _ => code.contains(span) || exists(span, &files),
            };
            if !is_there {
                wrong.push(format!("docs/debugging.md:{number}: `{span}` is nowhere in the code"));
            }
        }
    }
    assert!(seen > 80, "{seen} names were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names that the template gives in a section: those at the second level.
fn declared(template: &str, section: &str) -> Vec<String> {
    let from = template.find(&format!("\n{section}:\n")).unwrap() + 2;
    let lines = template[from..].lines().skip(1);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    names.filter(|name| name.chars().all(|one| one.is_ascii_alphanumeric())).map(str::to_owned).collect()
}

/// `RetainedBucket`, but neither `RETAINED` nor `Retained`.
fn is_camel(word: &str) -> bool {
    let uppers = word.chars().filter(char::is_ascii_uppercase).count();
    word.starts_with(|one: char| one.is_ascii_uppercase())
        && word.chars().all(|one| one.is_ascii_alphanumeric())
        && uppers >= 2
        && word.chars().any(|one| one.is_ascii_lowercase())
}

/// What a line says of a stack: the outputs that it names as such, and the parameters that it gives values to.
fn told_of_stack(line: &str) -> (Vec<&str>, Vec<&str>) {
    let words: Vec<&str> =
        line.split(|one: char| one.is_whitespace() || "`'\"(),;:[]".contains(one)).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let named = words.windows(2).filter(|two| ["output", "Output"].contains(&two[0]) && is_camel(two[1]));
    let given = words.iter().filter_map(|word| Some(word.split_once('=')?.0)).filter(|name| is_camel(name));
    (named.map(|two| two[1]).collect(), given.collect())
}

#[test]
fn outputs_and_parameters_that_documents_name_are_in_the_template() {
    let template = text("template.yaml").unwrap();
    let (outputs, parameters) = (declared(&template, "Outputs"), declared(&template, "Parameters"));
    assert!(outputs.contains(&"ApiUrl".to_owned()) && parameters.contains(&"PeerJoined".to_owned()));
    let (mut seen, mut wrong) = (0, Vec::new());
    let written = documents().into_iter().filter(|path| !is_history(path));
    for document in written.chain(["samconfig.toml".to_owned()]) {
        // Commands are in fenced code, too.
        for (number, line) in (1..).zip(text(&document).unwrap().lines()) {
            let (named, given) = told_of_stack(line);
            seen += named.len() + given.len();
            let lost = named.iter().filter(|name| !outputs.iter().any(|one| one == **name));
            wrong.extend(lost.map(|name| format!("{document}:{number}: no stack has an output {name}")));
            let lost = given.iter().filter(|name| !parameters.iter().any(|one| one == **name));
            wrong.extend(lost.map(|name| format!("{document}:{number}: no stack has a parameter {name}")));
        }
    }
    assert!(seen > 20, "{seen} names were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outputs_and_parameters_are_found_in_commands_and_prose() {
    let line =
        "BUCKET=…  # the output `RetainedBucket`; PARAMETERS=\"GatewayMinTasks=2 TableProtection=true\"";
    assert_eq!(told_of_stack(line), (vec!["RetainedBucket"], vec!["GatewayMinTasks", "TableProtection"]));
    assert_eq!(told_of_stack("the output is X=1, $API: output ApiUrl"), (vec!["ApiUrl"], vec![]));
}

#[test]
fn references_are_judged() {
    let sources: BTreeMap<String, String> = [
        ("local/stack/tests/e2e/hangs.rs", "async fn a_table_that_hangs() {}"),
        ("transcoder/src/run/upload/tests.rs", "fn late() {}"),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .collect();
    for good in [
        "hangs::a_table_…",
        "a_table_…",
        "hangs::a_table_that_hangs",
        "run::upload",
        "upload::tests::late",
        "run::…",
    ] {
        assert!(is_test(good, &sources), "{good}");
    }
    for bad in
        ["hangs::a_bucket_…", "hangs::a_table_that", "run::download", "upload::a_table_…", "nothing::…"]
    {
        assert!(!is_test(bad, &sources), "{bad}");
    }
    let files = ["transcoder/tests/media_parts.rs".to_owned(), "local/emulators/src/fault.rs".to_owned()];
    for good in
        ["transcoder/tests/media_*.rs", "tests/media_parts.rs", "local/emulators/src/", "src/fault.rs"]
    {
        assert!(exists(good, &files), "{good}");
    }
    for bad in ["transcoder/tests/sound_*.rs", "parts.rs/x", "ocal/src", "src/faults.rs"] {
        assert!(!exists(bad, &files), "{bad}");
    }
    let tops = ["local".to_owned()];
    assert!(is_path("local/stack", &tops) && is_path("run/kept.rs", &tops));
    assert!(!is_path("a/s3", &tops) && !is_path("GET /x/y.json", &tops) && !is_path("/x/y.json", &tops));
    let text = "### A\n\n- **Test**: `a`\n  `b`\n- c\n  `d`";
    assert_eq!(items(text), [(3, "A".to_owned(), "`a`  `b`".to_owned())]);
}
