//! `[features]`: the codes that agents dial. What is not written keeps its usual code; `"off"` takes it away.

use crate::call::feature::{Codes, DEFAULTS, Feature};
use crate::written::Table;

const HINT: &str = "write a star and one to four digits, as in \"*41\", or \"off\"";

pub(super) fn read(features: &mut Table<'_>) -> Codes {
    let mut codes: Vec<(String, Feature)> = Vec::new();
    for (key, usual, feature) in DEFAULTS {
        let written = features.string(key);
        let line = written.as_ref().map_or(1, |at| at.line);
        let code = written.map_or_else(|| (*usual).to_owned(), |at| at.value);
        if code == "off" {
            continue;
        }
        if !Codes::is_code(&code) {
            features.fault(line, format!("features.{key} \"{code}\" is no code"), HINT);
        } else if codes.iter().any(|(known, _)| *known == code) {
            features.fault(line, format!("features.{key} \"{code}\" is another code already"), "give each one its own");
        } else {
            codes.push((code, *feature));
        }
    }
    Codes::new(codes)
}
