//! Query parameters, wherever an encoder puts them.

/// Parameters of one publish request; further ones are dropped.
const MAX_PARAMETERS: usize = 32;
/// Bytes of one name or value; longer parameters are dropped. A signed token takes about 1,000.
const MAX_PARAMETER_BYTES: usize = 2_048;

/// Collects the parameters of several query strings; of equal names the first wins.
pub(super) fn merge(queries: &[&str]) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = Vec::new();
    let pairs = queries.iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty());
    for pair in pairs {
        if merged.len() == MAX_PARAMETERS {
            break;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name.is_empty() || name.len() > MAX_PARAMETER_BYTES || value.len() > MAX_PARAMETER_BYTES {
            continue;
        }
        let name = percent_decode(name);
        if !merged.iter().any(|(known, _)| *known == name) {
            merged.push((name, percent_decode(value)));
        }
    }
    merged
}

/// Text as it was when it holds a bad escape, or when the bytes it stands for are not UTF-8. `+` stays `+`: tokens in
/// base64 contain it, and no encoder writes forms.
fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    decoded_bytes(text.as_bytes())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| text.to_owned())
}

fn decoded_bytes(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        if first == b'%' {
            let (digits, rest) = rest.split_first_chunk::<2>()?;
            let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
            bytes.push(u8::try_from(high? << 4 | low?).ok()?);
            text = rest;
        } else {
            bytes.push(first);
            text = rest;
        }
    }
    Some(bytes)
}
