//! Which text format of the metrics a scraper gets (RFC 9110 section 12.5.1, as far as it matters here).

/// A format that `/metrics` speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' own, version 0.0.4: the default.
    Classic,
    /// OpenMetrics 1.0.0, which has exemplars.
    OpenMetrics,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that `Accept` prefers; the classic one if it does not clearly want the other.
    pub(super) fn wanted(accept: &str) -> Format {
        let (mut open, mut classic) = (0, 0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut version, mut weight) = (None, 1_000);
            for parameter in parts {
                match parameter.split_once('=').map(|(name, value)| (name.trim(), value.trim().trim_matches('"'))) {
                    Some((name, value)) if name.eq_ignore_ascii_case("version") => version = Some(value),
                    Some((name, value)) if name.eq_ignore_ascii_case("q") => weight = permille(value),
                    _ => {}
                }
            }
            match kind.as_str() {
                "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                    open = open.max(weight);
                }
                "text/plain" | "text/*" | "*/*" => classic = classic.max(weight),
                _ => {}
            }
        }
        if open > 0 && open >= classic { Format::OpenMetrics } else { Format::Classic }
    }
}

/// A weight as thousandths; what is none counts for nothing.
fn permille(weight: &str) -> u32 {
    match weight.parse::<f64>() {
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1_000.0).round() as u32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_openmetrics_gets_it_and_nobody_else() {
        // As Prometheus 2.42 asks.
        let scraper = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                       text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for accept in
            [scraper, "application/openmetrics-text", "Application/OpenMetrics-Text; version=\"1.0.0\"; q=0.9"]
        {
            assert_eq!(Format::wanted(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.5,text/plain",
            "application/openmetrics-text;q=lots",
            ";;;,=,q",
        ] {
            assert_eq!(Format::wanted(accept), Format::Classic, "{accept}");
        }
    }
}
