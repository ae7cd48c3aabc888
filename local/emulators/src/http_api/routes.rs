//! Which route a request takes. Pure; the order is API Gateway's: exact path before variables before `{proxy+}`
//! before `$default`, and a named method before `ANY` (developer guide, "Routing API requests").

use super::config::Route;
use std::collections::BTreeMap;
use thiserror::Error;

/// A route key that is not one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RouteError {
    /// It is not `METHOD /path` or `$default`.
    #[error("{0:?} is not a route key")]
    Malformed(String),
    /// It is there twice.
    #[error("route {0:?} is there twice")]
    Duplicate(String),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Variable(String),
    Greedy(String),
}

#[derive(Debug)]
struct Pattern {
    /// `None`: any.
    method: Option<String>,
    /// `None`: any.
    path: Option<Vec<Segment>>,
}

/// A table of routes.
#[derive(Debug)]
pub(super) struct Routes {
    /// Most specific first.
    patterns: Vec<(Pattern, usize)>,
}

/// The route taken (its place in the configuration) and its variables.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) index: usize,
    pub(super) variables: BTreeMap<String, String>,
}

impl Routes {
    pub(super) fn new(routes: &[Route]) -> Result<Self, RouteError> {
        let mut patterns = Vec::with_capacity(routes.len());
        for (index, route) in routes.iter().enumerate() {
            if routes[..index].iter().any(|earlier| earlier.key == route.key) {
                return Err(RouteError::Duplicate(route.key.clone()));
            }
            patterns.push((Pattern::parse(&route.key)?, index));
        }
        patterns.sort_by_key(|(pattern, _)| pattern.order());
        Ok(Self { patterns })
    }

    pub(super) fn take(&self, method: &str, path: &str) -> Option<Taken> {
        self.patterns.iter().find_map(|(pattern, index)| {
            let variables = pattern.variables(method, path)?;
            Some(Taken { index: *index, variables })
        })
    }
}

impl Pattern {
    fn parse(key: &str) -> Result<Self, RouteError> {
        if key == "$default" {
            return Ok(Self { method: None, path: None });
        }
        let malformed = || RouteError::Malformed(key.to_owned());
        let (method, path) = key.split_once(' ').ok_or_else(malformed)?;
        let path = path.strip_prefix('/').ok_or_else(malformed)?;
        let segments: Vec<_> = path.split('/').map(Segment::parse).collect();
        let greedy_inside =
            segments.iter().rev().skip(1).any(|segment| matches!(segment, Segment::Greedy(_)));
        if greedy_inside || method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(malformed());
        }
        Ok(Self { method: (method != "ANY").then(|| method.to_owned()), path: Some(segments) })
    }

    /// Sorts the more specific before the less.
    fn order(&self) -> impl Ord + use<> {
        let ranks = self.path.as_ref().map(|path| path.iter().map(Segment::rank).collect::<Vec<_>>());
        (ranks.is_none(), ranks, self.method.is_none())
    }

    fn variables(&self, method: &str, path: &str) -> Option<BTreeMap<String, String>> {
        if self.method.as_ref().is_some_and(|wanted| wanted != method) {
            return None;
        }
        let mut variables = BTreeMap::new();
        let Some(pattern) = &self.path else { return Some(variables) };
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in pattern {
            let path = rest?;
            let (here, next) = path.split_once('/').map_or((path, None), |(here, next)| (here, Some(next)));
            rest = next;
            match segment {
                Segment::Literal(literal) if literal == here => {}
                Segment::Variable(name) if !here.is_empty() => {
                    variables.insert(name.clone(), decoded(here));
                }
                Segment::Greedy(name) if !path.is_empty() => {
                    variables.insert(name.clone(), decoded(path));
                    return Some(variables);
                }
                _ => return None,
            }
        }
        rest.is_none().then_some(variables)
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Self::Greedy(name.to_owned()),
                None => Self::Variable(name.to_owned()),
            },
            None => Self::Literal(text.to_owned()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Variable(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

/// A path without percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    // A form decoder gives these a meaning that they do not have in a path.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(method: &str, path: &str) -> Option<(&'static str, String)> {
        const KEYS: [&str; 6] = [
            "$default",
            "ANY /v1/{proxy+}",
            "GET /v1/{name}",
            "GET /v1/streams",
            "ANY /v1/streams",
            "GET /live/{stream}/index.m3u8",
        ];
        let routes = Routes::new(&KEYS.map(|key| Route::open(key, "f"))).unwrap();
        let taken = routes.take(method, path)?;
        Some((KEYS[taken.index], taken.variables.into_values().collect::<String>()))
    }

    #[test]
    fn the_most_specific_route_wins() {
        assert_eq!(taken("GET", "/v1/streams"), Some(("GET /v1/streams", String::new())));
        assert_eq!(taken("POST", "/v1/streams"), Some(("ANY /v1/streams", String::new())));
        assert_eq!(taken("GET", "/v1/other"), Some(("GET /v1/{name}", "other".to_owned())));
        assert_eq!(taken("PUT", "/v1/a/b%20c+d"), Some(("ANY /v1/{proxy+}", "a/b c+d".to_owned())));
        assert_eq!(taken("PUT", "/v1/a/b=c&d"), Some(("ANY /v1/{proxy+}", "a/b=c&d".to_owned())));
        assert_eq!(
            taken("GET", "/live/s1/index.m3u8"),
            Some(("GET /live/{stream}/index.m3u8", "s1".to_owned()))
        );
        assert_eq!(taken("GET", "/live//index.m3u8"), Some(("$default", String::new())));
        assert_eq!(taken("GET", "/v1/"), Some(("$default", String::new())));
    }

    #[test]
    fn malformed_and_double_keys_are_refused() {
        for key in ["GET", "GET v1", "get /v1", "GET /{all+}/more"] {
            assert_eq!(
                Routes::new(&[Route::open(key, "f")]).err(),
                Some(RouteError::Malformed(key.to_owned()))
            );
        }
        let twice = [Route::open("GET /", "f"), Route::open("GET /", "g")];
        assert_eq!(Routes::new(&twice).err(), Some(RouteError::Duplicate("GET /".to_owned())));
    }
}
