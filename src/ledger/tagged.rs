//! Kind and body of a fact apart, as the columns of a row have them. Serde writes them as one object that begins with the kind.

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};

/// What every fact's JSON begins with: serde's tag.
const TAG: &str = "{\"fact\":\"";

/// Kind and body, a JSON object; `None` if it has no kind.
pub(super) fn apart(what: &impl Serialize) -> Result<Option<(String, String)>, serde_json::Error> {
    let whole = serde_json::to_string(what)?;
    let split = whole.strip_prefix(TAG).and_then(|rest| rest.split_once('"'));
    Ok(split.map(|(kind, rest)| (kind.to_owned(), format!("{{{}", rest.strip_prefix(',').unwrap_or(rest)))))
}

pub(super) fn together<T: DeserializeOwned>(kind: &str, body: &str) -> Result<T, serde_json::Error> {
    let fields = body.trim_start().strip_prefix('{').ok_or_else(|| serde_json::Error::custom("it is no object"))?;
    let comma = if fields.trim_start().starts_with('}') { "" } else { "," };
    serde_json::from_str(&format!("{{\"fact\":{}{comma}{fields}", serde_json::to_string(kind)?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_was_taken_apart_is_put_together() {
        for (whole, kind, body) in
            [(r#"{"fact":"ended"}"#, "ended", "{}"), (r#"{"fact":"rang","fact_s":1}"#, "rang", r#"{"fact_s":1}"#)]
        {
            // Maps keep their keys sorted, and no key here comes before the tag.
            let value: Value = serde_json::from_str(whole).unwrap();
            assert_eq!(apart(&value).unwrap(), Some((kind.to_owned(), body.to_owned())));
            assert_eq!(together::<Value>(kind, body).unwrap(), serde_json::from_str::<Value>(whole).unwrap());
        }
        assert_eq!(apart(&json!({"a": 1})).unwrap(), None);
        assert_eq!(together::<Value>("a\"b", " { } ").unwrap(), json!({"fact": "a\"b"}));
        assert!(together::<Value>("rang", "[]").is_err());
    }
}
