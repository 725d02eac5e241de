//! The form in force, every version that there was, and a new version: written, checked, looked at, put in force. A version that is
//! there is never changed.

use super::{form_in_force, with};
use crate::fault::Fault;
use crate::qa::form::{Form, Item, Text, read};
use crate::rules::Pack;
use crate::store::people::{Role, Roles};
use crate::store::qa::Version;
use crate::web::page::{Asked, Page, Refusal, Reply, go};

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
    /// Each with its line as it stands there.
    Faults(Vec<(Fault, String)>),
    Fits {
        form: Form,
        changes: Vec<Change>,
    },
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
        faults.push(Fault::new("form", line, format!("id is \"{}\"", form.id), format!("write \"{}\"", before.id)));
    }
    let line_of = |fault: &Fault| {
        let at = (fault.line as usize).saturating_sub(1);
        text.lines().nth(at).unwrap_or_default().trim().to_owned()
    };
    Ok(match form {
        Some(form) if faults.is_empty() => Checked::Fits { changes: changes(&asked.page(), &before, &form), form },
        _ => Checked::Faults(faults.into_iter().map(|fault| (fault.clone(), line_of(&fault))).collect()),
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
