//! In and out: the first admin, passwords, one-time links.

use axum::http::{StatusCode, header};

use crate::store::password;
use crate::store::people::{NewPerson, Person};
use crate::web::desk::Opens;
use crate::web::door;
use crate::web::page::{Asked, Page, Refusal, Reply, go};

#[derive(askama::Template)]
#[template(path = "login.html", config = "src/web/askama.toml")]
struct Login {
    p: Page,
    name: String,
    next: String,
    /// The word of what was wrong.
    wrong: Option<&'static str>,
}

pub(in crate::web) async fn form(asked: Asked) -> Reply {
    let next = local(asked.query().get("next"));
    if asked.visitor().is_some() {
        return Ok(go(&next));
    }
    asked.show(&Login { p: asked.page(), name: String::new(), next, wrong: None })
}

pub(in crate::web) async fn log_in(asked: Asked) -> Reply {
    let desk = asked.desk();
    let (name, next) = (asked.form().get("name").to_owned(), local(asked.form().get("next")));
    if desk.is_locked_out(asked.0.source) {
        return Err(Refusal::LockedOut);
    }
    let (asked_name, typed) = (name.clone(), asked.form().all("password").next().unwrap_or_default().to_owned());
    let kept = desk.change(move |people, _| people.password_of(&asked_name)).await?;
    if !desk.with_password(move || password::is_right(&typed, kept.as_deref())).await? {
        desk.note_guess(asked.0.source);
        let mut shown = asked.show(&Login { p: asked.page(), name, next, wrong: Some("login-wrong") })?;
        *shown.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(shown);
    }
    let person = desk.change(move |people, _| people.named(&name)).await?;
    let person = person.filter(|person| !person.disabled).ok_or(Refusal::Forbidden)?;
    begin(&asked, person, "password", &next).await
}

/// A new session with a secret that nobody had before; the one that the browser came with ends.
async fn begin(asked: &Asked, person: Person, how: &'static str, next: &str) -> Reply {
    let desk = asked.desk();
    let secret = desk.secret();
    let (new, old) = (secret.clone(), asked.visitor().cloned());
    desk.change(move |people, at| {
        if let Some(old) = old {
            people.end_session(&old.person, &old.secret, at)?;
        }
        people.begin_session(&person, &new, how, at)
    })
    .await?;
    let mut response = go(next);
    response.headers_mut().append(header::SET_COOKIE, door::session_cookie(desk, Some(&secret)));
    Ok(response)
}

pub(in crate::web) async fn log_out(asked: Asked) -> Reply {
    let visitor = asked.visitor().cloned().ok_or(Refusal::Forbidden)?;
    asked.desk().change(move |people, at| people.end_session(&visitor.person, &visitor.secret, at)).await?;
    let mut response = go("/login");
    response.headers_mut().append(header::SET_COOKIE, door::session_cookie(asked.desk(), None));
    Ok(response)
}

#[derive(askama::Template)]
#[template(path = "setup.html", config = "src/web/askama.toml")]
struct Setup {
    p: Page,
    key: String,
}

pub(in crate::web) async fn setup(asked: Asked) -> Reply {
    let key = opened(&asked, asked.query().get("key"), |opens| *opens == Opens::Setup)?.0;
    asked.show(&Setup { p: asked.page(), key })
}

/// The key, if it opens what is asked for. Guessing counts as guessing a password.
fn opened(asked: &Asked, key: &str, is_it: impl Fn(&Opens) -> bool) -> Result<(String, Opens), Refusal> {
    let desk = asked.desk();
    if desk.is_locked_out(asked.0.source) {
        return Err(Refusal::LockedOut);
    }
    match desk.behind_link(key).filter(is_it) {
        Some(opens) => Ok((key.to_owned(), opens)),
        None => {
            desk.note_guess(asked.0.source);
            Err(Refusal::Told("refusal-link"))
        }
    }
}

/// The first admin.
pub(in crate::web) async fn set_up(asked: Asked) -> Reply {
    let form = asked.form();
    let (key, _) = opened(&asked, form.get("key"), |opens| *opens == Opens::Setup)?;
    let typed = form.all("password").next().unwrap_or_default().to_owned();
    if form.all("again").next() != Some(&typed) {
        return Err(Refusal::Told("password-differs"));
    }
    let desk = asked.desk();
    let kept = desk.with_password(move || password::hash(&typed)).await?.map_err(|_| Refusal::Told("password-rule"))?;
    let new = NewPerson {
        name: form.get("name").to_owned(),
        shown: form.get("shown").to_owned(),
        roles: "admin".to_owned(),
        agent: None,
        password: Some(kept),
    };
    let added = desk.change(move |people, at| match people.is_empty()? {
        true => people.add(&new, "setup", at).map(Some),
        false => Ok(None),
    });
    let admin = added.await?.ok_or(Refusal::Told("refusal-link"))?;
    desk.use_link(&key);
    begin(&asked, admin, "setup", "/admin/people").await
}

#[derive(askama::Template)]
#[template(path = "link.html", config = "src/web/askama.toml")]
struct Link {
    p: Page,
    key: String,
    name: String,
    /// It asks for a new password.
    sets: bool,
}

fn to_somebody(opens: &Opens) -> bool {
    matches!(opens, Opens::Login { .. } | Opens::Password { .. })
}

/// A button, so that whatever looks at links does not use them up.
pub(in crate::web) async fn link(asked: Asked) -> Reply {
    match opened(&asked, asked.query().get("key"), to_somebody)? {
        (key, Opens::Login { name }) => asked.show(&Link { p: asked.page(), key, name, sets: false }),
        (key, Opens::Password { name, .. }) => asked.show(&Link { p: asked.page(), key, name, sets: true }),
        (_, Opens::Setup) => Err(Refusal::NotFound),
    }
}

pub(in crate::web) async fn follow(asked: Asked) -> Reply {
    let (key, opens) = opened(&asked, asked.form().get("key"), to_somebody)?;
    let name = match opens {
        Opens::Login { name } => name,
        Opens::Password { name, made_by } => return choose(&asked, &key, name, made_by).await,
        Opens::Setup => return Err(Refusal::NotFound),
    };
    if !asked.desk().use_link(&key) {
        return Err(Refusal::Told("refusal-link"));
    }
    let person = asked.desk().change(move |people, _| people.named(&name)).await?;
    let person = person.filter(|person| !person.disabled).ok_or(Refusal::Forbidden)?;
    begin(&asked, person, "link", "/").await
}

/// A new password, and no session: whoever followed the link still has to log in as everybody does.
async fn choose(asked: &Asked, key: &str, name: String, made_by: String) -> Reply {
    let (form, desk) = (asked.form(), asked.desk());
    let typed = form.all("password").next().unwrap_or_default().to_owned();
    if form.all("again").next() != Some(&typed) {
        return Err(Refusal::Told("password-differs"));
    }
    let hash = desk.with_password(move || password::hash(&typed)).await?.map_err(|_| Refusal::Told("password-rule"))?;
    if !desk.use_link(key) {
        return Err(Refusal::Told("refusal-link"));
    }
    desk.change(move |people, at| people.set_password_by_link(&name, &hash, &made_by, at)).await?;
    Ok(go("/login"))
}

/// A path of ours, or the beginning: nobody is sent elsewhere by a link to our login.
fn local(next: &str) -> String {
    let odd = |c: char| c.is_control() || c == '\\';
    let is_ours = next.starts_with('/') && !next.starts_with("//") && !next.contains(odd);
    if is_ours { next.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (next, to) in [
            ("/calls?agent=8", "/calls?agent=8"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("", "/"),
            ("/a\r\nb", "/"),
        ] {
            assert_eq!(local(next), to);
        }
    }
}
