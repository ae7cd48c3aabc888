//! Names of renditions through a broadcast: a source that changes its size goes on under the names that viewers have. Pure.

/// Which names each of the renditions `made` (name and lines, by descending size) goes by, so that every name that is
/// `known` has one. Who has its own name keeps it; of the others the largest goes by the highest name that is left, or the
/// least by the lowest, if there are fewer names than renditions. Names beyond stand for the nearest that is not above them.
pub(crate) fn assign(made: &[(String, u32)], known: &[String]) -> Vec<Vec<String>> {
    let mut known: Vec<&String> = known.iter().collect();
    known.sort_by_key(|name| std::cmp::Reverse(lines(name)));
    known.dedup();
    let mut names: Vec<Vec<String>> = made
        .iter()
        .map(|(own, _)| known.iter().filter(|name| **name == own).map(|name| (*name).clone()).collect())
        .collect();
    known.retain(|name| made.iter().all(|(own, _)| own != *name));
    let free: Vec<usize> = (0..made.len()).filter(|place| names[*place].is_empty()).collect();
    let paired = known.len().min(free.len());
    // More renditions than names: the new ones are above, for viewers of old have what is left of their bandwidth.
    for (place, name) in free[free.len() - paired..].iter().zip(&known) {
        names[*place].push((*name).clone());
    }
    for name in &known[paired..] {
        let below = made.iter().position(|(_, height)| *height <= lines(name));
        if let Some(some) = names.get_mut(below.unwrap_or(made.len().saturating_sub(1))) {
            some.push((*name).clone());
        }
    }
    for (some, (own, _)) in names.iter_mut().zip(made) {
        if some.is_empty() {
            some.push(own.clone());
        }
        some.sort_by_key(|name| std::cmp::Reverse(lines(name)));
    }
    names
}

/// What the first rendition of a name had: `720p60` is 720.
fn lines(name: &str) -> u32 {
    let digits = name.find(|c: char| !c.is_ascii_digit()).map_or(name, |end| &name[..end]);
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(made: &[u32], known: &[&str]) -> Vec<String> {
        let made: Vec<_> = made.iter().map(|lines| (format!("{lines}p"), *lines)).collect();
        let known: Vec<_> = known.iter().map(|name| (*name).to_owned()).collect();
        assign(&made, &known).into_iter().map(|names| names.join("+")).collect()
    }

    #[test]
    fn a_broadcast_begins_with_the_names_of_its_ladder() {
        assert_eq!(named(&[720, 480, 360], &[]), ["720p", "480p", "360p"]);
    }

    #[test]
    fn a_smaller_source_goes_on_under_all_names() {
        assert_eq!(named(&[288], &["360p"]), ["360p"]);
        assert_eq!(named(&[288], &["720p", "480p", "360p"]), ["720p+480p+360p"]);
        assert_eq!(named(&[480, 360], &["1080p", "720p", "480p", "360p"]), ["1080p+720p+480p", "360p"]);
        assert_eq!(
            named(&[600, 480, 360], &["1080p", "720p", "480p", "360p"]),
            ["1080p+720p", "480p", "360p"]
        );
    }

    #[test]
    fn a_larger_source_gets_names_above() {
        assert_eq!(named(&[1080, 720, 480, 360], &["360p"]), ["1080p", "720p", "480p", "360p"]);
        assert_eq!(named(&[1080, 720, 480, 360], &["288p"]), ["1080p", "720p", "480p", "288p"]);
        assert_eq!(named(&[360], &["288p"]), ["288p"]);
        assert_eq!(named(&[720, 480], &["1080p60", "720p60"]), ["1080p60", "720p60"]);
    }

    #[test]
    fn names_are_never_more_than_renditions_at_one_time() {
        let mut known: Vec<String> = Vec::new();
        for size in (100..1_080).step_by(37) {
            let made: Vec<(String, u32)> = [size, size / 2, size / 4].map(|l| (format!("{l}p"), l)).into();
            let names: Vec<String> = assign(&made, &known).concat();
            assert!(known.iter().all(|name| names.contains(name)), "{known:?} {names:?}");
            known = names;
            assert_eq!(known.len(), 3);
        }
    }
}
