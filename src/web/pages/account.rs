//! What everybody may change: the language, one's own password.

use axum::http::{HeaderValue, header};

use crate::store::audit::Audited;
use crate::store::password;
use crate::web::page::{Asked, Page, Refusal, Reply, go};
use crate::web::words::LANGUAGES;

/// Shown of them.
const DEEDS: usize = 20;

#[derive(askama::Template)]
#[template(path = "account.html", config = "src/web/askama.toml")]
struct Account {
    p: Page,
    is_changed: bool,
    /// What was done about this person, and how he or she got in: newest first.
    deeds: Vec<Audited>,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let is_changed = asked.query().get("changed") == "yes";
    let name = asked.person()?.name.clone();
    let deeds = asked.desk().read(move |reader| reader.audit(Some(&name), None, DEEDS)).await?;
    asked.show(&Account { p: asked.page(), is_changed, deeds })
}

pub(in crate::web) async fn language(asked: Asked) -> Reply {
    let named = LANGUAGES.iter().find(|(tag, _)| *tag == asked.form().get("language"));
    let (tag, _) = *named.ok_or(Refusal::Told("refusal-language"))?;
    if let Some(visitor) = asked.visitor() {
        let id = visitor.person.id;
        asked.desk().change(move |people, _| people.set_language(id, tag)).await?;
    }
    let back = asked.form().get("back");
    let mut response = go(if back.starts_with('/') && !back.starts_with("//") { back } else { "/" });
    let cookie = format!("language={tag}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Ends every session of the person, this one too: whoever knows the old password is out.
pub(in crate::web) async fn password(asked: Asked) -> Reply {
    let desk = asked.desk();
    if desk.is_locked_out(asked.0.source) {
        return Err(Refusal::LockedOut);
    }
    let name = asked.person()?.name.clone();
    let field = |name| asked.form().all(name).next().unwrap_or_default().to_owned();
    let (old, new) = (field("old"), field("password"));
    if new != field("again") {
        return Err(Refusal::Told("password-differs"));
    }
    let whose = name.clone();
    let kept = desk.change(move |people, _| people.password_of(&whose)).await?;
    // Who came by a link has none yet.
    if kept.is_some() && !desk.with_password(move || password::is_right(&old, kept.as_deref())).await? {
        desk.note_guess(asked.0.source);
        return Err(Refusal::Told("login-wrong"));
    }
    let hash = desk.with_password(move || password::hash(&new)).await?.map_err(|_| Refusal::Told("password-rule"))?;
    desk.change(move |people, at| people.set_password(&name, &hash, &name, at)).await?;
    Ok(go("/login"))
}
