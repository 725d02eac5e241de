//! The form in force, and every version that a sheet was filled by.

use super::{form_in_force, with};
use crate::cdr::Time;
use crate::qa::form::{Form, Text};
use crate::web::page::{Asked, Page, Reply};

#[derive(askama::Template)]
#[template(path = "qa/forms.html", config = "src/web/askama.toml")]
struct Forms {
    p: Page,
    form: Form,
    versions: Vec<(String, String, Time, u64)>,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let (form, versions) = with(&asked, |store, _| Ok((form_in_force(store)?.0, store.forms()?))).await?;
    asked.show(&Forms { p: asked.page(), form, versions })
}

impl Forms {
    fn name<'t>(&self, text: &'t Text) -> &'t str {
        text.in_language(self.p.tag() != "en")
    }

    fn short<'v>(&self, version: &'v str) -> &'v str {
        version.get(..12).unwrap_or(version)
    }
}
