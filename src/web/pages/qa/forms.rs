//! The form in force, every version that there was, and a new version: written, checked, looked at, put in force. A version that is
//! there is never changed.

use std::fmt::Display;

use super::{form_in_force, with};
use crate::fault::Fault;
use crate::qa::form::{Form, Item, Text, read};
use crate::rules::Pack;
use crate::store::people::{Role, Roles};
use crate::store::qa::Version;
use crate::web::page::{Asked, Page, Refusal, Reply, go};
use crate::web::words::Words;

#[derive(askama::Template)]
#[template(path = "qa/forms.html", config = "src/web/askama.toml")]
struct Forms {
    p: Page,
    form: Form,
    /// Whether it is the one that sheets are filled by now.
    in_force: String,
    versions: Vec<Version>,
    leads: bool,
}

#[derive(askama::Template)]
#[template(path = "qa/form_edit.html", config = "src/web/askama.toml")]
struct Edit {
    p: Page,
    text: String,
    checked: Option<Checked>,
}

/// What was written, read.
enum Checked {
    Faults(Vec<Told>),
    Fits { form: Form, changes: Vec<Change> },
}

/// A fault in the page's language.
struct Told {
    line: u32,
    /// That line as it stands there.
    written: String,
    what: String,
    hint: String,
}

impl Told {
    fn of(words: &Words, text: &str, fault: Fault) -> Told {
        let at = (fault.line as usize).saturating_sub(1);
        let written = text.lines().nth(at).unwrap_or_default().trim().to_owned();
        let (what, hint) = match &fault.said {
            Some(said) => (words.with_all(said.what, &said.values), words.with_all(said.hint, &said.values)),
            None => (fault.what, fault.hint),
        };
        Told { line: fault.line, written, what, hint }
    }
}

/// What the next sheets have that the last ones had not.
struct Change {
    key: &'static str,
    what: String,
}

/// `?version=` shows an older one.
pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let wanted = asked.query().get("version").to_owned();
    let (in_force, form, versions) = with(&asked, move |store, _| {
        let in_force = form_in_force(store)?.0;
        let older = if wanted.is_empty() { None } else { store.form(&wanted)? };
        let form = older.map_or_else(|| Ok(in_force.clone()), |text| super::parse(&text))?;
        Ok((in_force, form, store.forms()?))
    })
    .await?;
    let leads = asked.may(Roles::of(&[Role::Lead]));
    asked.show(&Forms { p: asked.page(), form, in_force: in_force.version, versions, leads })
}

/// The text of the form in force, or of the version that is named.
pub(in crate::web) async fn edit(asked: Asked) -> Reply {
    let wanted = asked.query().get("version").to_owned();
    let text = with(&asked, move |store, _| {
        let older = if wanted.is_empty() { None } else { store.form(&wanted)? };
        older.map_or_else(|| form_in_force(store).map(|(_, text)| text), Ok)
    })
    .await?;
    asked.show(&Edit { p: asked.page(), text, checked: None })
}

/// A browser sends lines as a mail does.
fn sent(asked: &Asked) -> String {
    let text = asked.form().get("text").replace("\r\n", "\n");
    if text.ends_with('\n') { text } else { text + "\n" }
}

async fn checked(asked: &Asked, text: &str) -> Result<Checked, Refusal> {
    let before = with(asked, |store, _| Ok(form_in_force(store)?.0)).await?;
    let pack = Pack::built_in();
    let (form, mut faults) = read("form", text.as_bytes(), |rule| pack.rule(rule).is_some());
    // Another id would be another form beside it.
    if let Some(form) = form.as_ref().filter(|form| form.id != before.id) {
        let at = text.lines().position(|line| line.contains(&form.id)).unwrap_or(0);
        let line = u32::try_from(at + 1).unwrap_or(1);
        let fault = Fault::new("form", line, format!("id is \"{}\"", form.id), format!("write \"{}\"", before.id));
        let values: [(_, &dyn Display); 2] = [("id", &form.id), ("before", &before.id)];
        faults.push(fault.said("fault-form-other", "fault-form-other-hint", &values));
    }
    Ok(match form {
        Some(form) if faults.is_empty() => Checked::Fits { changes: changes(&asked.page(), &before, &form), form },
        _ => Checked::Faults(faults.into_iter().map(|fault| Told::of(asked.words(), text, fault)).collect()),
    })
}

/// Shows what is wrong, or what the sheet will be.
pub(in crate::web) async fn check(asked: Asked) -> Reply {
    let text = sent(&asked);
    let checked = Some(checked(&asked, &text).await?);
    asked.show(&Edit { p: asked.page(), text, checked })
}

/// From now on sheets are filled by it: `text` and `why` of the form.
pub(in crate::web) async fn publish(asked: Asked) -> Reply {
    let text = sent(&asked);
    let why = asked.form().get("why").to_owned();
    if why.is_empty() {
        return Err(Refusal::Told("qa-form-why-lacks"));
    }
    match checked(&asked, &text).await? {
        Checked::Fits { form, .. } => {
            with(&asked, move |store, by| store.change_form(&form, &text, &why, by)).await?;
            Ok(go("/qa/forms"))
        }
        checked => asked.show(&Edit { p: asked.page(), text, checked: Some(checked) }),
    }
}

fn changes(p: &Page, before: &Form, after: &Form) -> Vec<Change> {
    let named = |item: &Item| format!("{} {}", item.id, item.name.in_language(p.tag() != "en"));
    let mut changes = Vec::new();
    for item in after.items() {
        match before.item(&item.id) {
            None => changes.push(Change { key: "qa-form-added", what: named(item) }),
            Some(old) if old != item => changes.push(Change { key: "qa-form-changed", what: named(item) }),
            Some(_) => {}
        }
    }
    let gone = before.items().filter(|item| after.item(&item.id).is_none());
    changes.extend(gone.map(|item| Change { key: "qa-form-gone", what: named(item) }));
    let weights = |form: &Form| {
        let weight = |section: &crate::qa::form::Section| (section.id.clone(), section.weight);
        form.sections.iter().map(weight).collect::<Vec<_>>()
    };
    if weights(before) != weights(after) || before.fatal != after.fatal {
        changes.push(Change { key: "qa-form-weights", what: String::new() });
    }
    changes
}

impl Forms {
    fn name<'t>(&self, text: &'t Text) -> &'t str {
        text.in_language(self.p.tag() != "en")
    }

    fn short<'v>(&self, version: &'v str) -> &'v str {
        version.get(..12).unwrap_or(version)
    }
}

impl Edit {
    fn name<'t>(&self, text: &'t Text) -> &'t str {
        text.in_language(self.p.tag() != "en")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::web::words::chosen;

    const ITEM: &str = "[[section.item]]\nzh = \"项\"\nen = \"item\"\npoints = 3\n";

    /// Texts with every fault that a form can have.
    fn faulty() -> Vec<String> {
        let head = "[form]\nid = \"f\"\nzh = \"表\"\nen = \"form\"\n";
        let section = "[[section]]\nid = \"s\"\nzh = \"节\"\nen = \"s\"\nweight = 1\n";
        let items: String = (0..41).map(|n| format!("{ITEM}id = \"i{n}\"\n")).collect();
        let wrong = "[[section.item]]\nid = \"a b\"\nzh = 5\nen = \"\"\npoints = 200\nkind = \"deduct\"\nfilled = \"hint\"\nna = \"yes\"\n";
        let wrong_too = "[[section.item]]\nid = \"s\"\nkind = \"passs\"\neach = \"1\"\nrules = \"R-001\"\ncolour = 1\n";
        vec![
            String::new(),
            format!("{head}id = \"g\"\nsource = \"\ncolour = \n"),
            format!("{head}[setcion]\n"),
            format!("{head}{}", section.repeat(11)),
            format!("{head}{section}{items}"),
            format!("{head}{section}{wrong}{wrong_too}"),
            format!("{head}{section}{ITEM}id = \"i\"\neach = 2\nrules = [\"R-999\", 3]\nkind = \"bottle\"\n"),
            format!("{head}section = 3\n[fatal]\n"),
            "form = 1\nwhat is this\n".to_owned(),
        ]
    }

    #[test]
    fn each_fault_of_a_form_is_told_in_the_pages_language() {
        let mut told = BTreeSet::from(["fault-form-other", "fault-form-other-hint"]);
        for text in faulty() {
            let (form, faults) = read("form", text.as_bytes(), |rule| rule == "R-001");
            assert!(form.is_none() && !faults.is_empty(), "{text}");
            for fault in faults {
                let said = fault.said.as_ref().unwrap_or_else(|| panic!("only in English: {fault}"));
                told.extend([said.what, said.hint]);
                let [zh, en] = ["zh-CN", "en"].map(|tag| {
                    let told = Told::of(chosen(Some(tag), None, None), &text, fault.clone());
                    (told.line, told.written, told.what + " – " + &told.hint)
                });
                assert_eq!((zh.0, &zh.1), (fault.line, &en.1));
                assert_ne!(zh.2, en.2);
                // Nothing is left to be filled in.
                assert!(!zh.2.contains(['{', '}']) && !en.2.contains(['{', '}']), "{zh:?} {en:?}");
            }
        }
        let known = include_str!("../../words/zh-CN.ftl").lines().filter(|line| line.starts_with("fault-"));
        let known: BTreeSet<&str> = known.filter_map(|line| line.split_once(" =")).map(|(key, _)| key).collect();
        assert_eq!(told, known);
    }

    #[test]
    fn a_fault_has_its_line_and_what_to_do() {
        let text =
            "[form]\nid = \"f\"\nzh = 5\nen = \"form\"\n[[section]]\nid = \"s\"\nzh = \"节\"\nen = \"s\"\nweight = 0\n";
        let lines = |tag| {
            let words = chosen(Some(tag), None, None);
            let faults = read("form", text.as_bytes(), |_| true).1;
            let line = |fault| Told::of(words, text, fault);
            faults.into_iter().map(line).map(|t| format!("{} {}: {}: {}", t.line, t.written, t.what, t.hint)).collect()
        };
        let zh: Vec<String> = lines("zh-CN");
        assert!(zh.contains(&"3 zh = 5: form.zh 写的是整数，应为文字: 写成 zh = \"…\"".to_owned()), "{zh:#?}");
        assert!(zh.contains(&"9 weight = 0: section.weight 超出范围：0: 应为 1 到 1000 的整数".to_owned()), "{zh:#?}");
        let en: Vec<String> = lines("en");
        assert!(en.contains(&"3 zh = 5: form.zh is an integer, not a string: write zh = \"…\"".to_owned()), "{en:#?}");
    }
}
