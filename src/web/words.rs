//! What the console says, in Chinese and English: Fluent files with the same keys.

use std::fmt::Display;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// The first one is for whoever asks for none of them.
pub(super) const LANGUAGES: [(&str, &str); 2] = [("zh-CN", "中文"), ("en", "English")];

const TEXTS: [&str; 2] = [include_str!("words/zh-CN.ftl"), include_str!("words/en.ftl")];

/// The words of one language.
pub struct Words {
    /// BCP 47.
    pub tag: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.tag)
    }
}

static ALL: LazyLock<Vec<Words>> = LazyLock::new(|| {
    let languages = LANGUAGES.iter().zip(TEXTS);
    languages.map(|((tag, _), text)| Words { tag, bundle: bundle(tag, text) }).collect()
});

fn bundle(tag: &str, text: &str) -> FluentBundle<FluentResource> {
    let language: LanguageIdentifier = tag.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    // The marks around what is filled in would stand in CSV files and titles; all of it is escaped by the templates.
    bundle.set_use_isolating(false);
    // What is wrong in a file is shown by the tests; what can be read of it serves.
    let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(read, _)| read);
    bundle.add_resource_overriding(resource);
    bundle
}

/// By what the person has chosen, by the browser's cookie, by what the browser asks for (RFC 9110 section 12.5.4).
pub(super) fn chosen(person: Option<&str>, cookie: Option<&str>, accept: Option<&str>) -> &'static Words {
    let exactly = |tag: &str| ALL.iter().find(|words| words.tag == tag);
    let named = person.and_then(exactly).or_else(|| cookie.and_then(exactly));
    named.or_else(|| accept.and_then(accepted)).unwrap_or(&ALL[0])
}

fn accepted(accept: &str) -> Option<&'static Words> {
    let weigh = |part: &str| {
        let mut parts = part.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|p| p.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        let primary = range.split('-').next().unwrap_or_default().to_owned();
        ALL.iter().find(|words| words.tag.split('-').next() == Some(&primary)).map(|words| (weight, words))
    };
    let found = accept.split(',').take(20).filter_map(weigh).filter(|(weight, _)| *weight > 0.0);
    // Of two that weigh the same the first one.
    found.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, words)| words)
}

impl Words {
    pub fn say(&self, key: &str) -> String {
        self.format(key, None)
    }

    /// With one thing filled in. Short whole numbers count as numbers, so that a language may have a plural.
    pub fn with(&self, key: &str, name: &str, value: impl Display) -> String {
        self.with_all(key, &[(name, value.to_string())])
    }

    pub fn with_all(&self, key: &str, values: &[(&str, String)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in values {
            args.set((*name).to_owned(), value_of(value));
        }
        self.format(key, Some(&args))
    }

    pub fn knows(&self, key: &str) -> bool {
        self.bundle.get_message(key).is_some_and(|message| message.value().is_some())
    }

    fn format(&self, key: &str, args: Option<&FluentArgs<'_>>) -> String {
        let Some(pattern) = self.bundle.get_message(key).and_then(|message| message.value()) else {
            debug_assert!(false, "no word `{key}` in {}", self.tag);
            return key.to_owned();
        };
        self.bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned()
    }
}

/// `8` is a number, `08` and a phone number are not.
fn value_of(text: &str) -> FluentValue<'static> {
    let is_number = text.len() < 8 && (text == "0" || !text.starts_with('0'));
    match text.parse::<u32>() {
        Ok(number) if is_number => FluentValue::from(number),
        _ => FluentValue::from(text.to_owned()),
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
