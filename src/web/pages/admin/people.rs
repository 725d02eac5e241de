//! Who works with the console.

use axum::extract::Path;

use crate::cdr::Word as _;
use crate::store::password;
use crate::store::people::{NewPerson, Person, Role};
use crate::web::desk::Opens;
use crate::web::page::{Asked, Page, Refusal, Reply, go};

#[derive(askama::Template)]
#[template(path = "people.html", config = "src/web/askama.toml")]
struct People {
    p: Page,
    people: Vec<Person>,
    roles: &'static [Role],
    /// A link that was just made, and for whom.
    link: Option<(String, String)>,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    show(&asked, None).await
}

async fn show(asked: &Asked, link: Option<(String, String)>) -> Reply {
    let people = asked.desk().change(|people, _| people.all()).await?;
    asked.show(&People { p: asked.page(), people, roles: Role::ALL, link })
}

/// The roles that were ticked.
fn ticked(asked: &Asked) -> String {
    asked.form().all("role").collect::<Vec<_>>().join(" ")
}

pub(in crate::web) async fn add(asked: Asked) -> Reply {
    let (form, by) = (asked.form(), asked.person()?.name.clone());
    let typed = form.all("password").next().unwrap_or_default().to_owned();
    let hash = move || if typed.is_empty() { Ok(None) } else { password::hash(&typed).map(Some) };
    let kept = asked.desk().with_password(hash).await?.map_err(|_| Refusal::Told("password-rule"))?;
    let has_password = kept.is_some();
    let new = NewPerson {
        name: form.get("name").to_owned(),
        shown: form.get("shown").to_owned(),
        roles: ticked(&asked),
        agent: Some(form.get("agent").to_owned()).filter(|agent| !agent.is_empty()),
        password: kept,
    };
    let added = asked.desk().change(move |people, at| people.add(&new, &by, at)).await?;
    if has_password {
        return Ok(go("/admin/people"));
    }
    link(&asked, added.name).await
}

/// A way in without a password, once.
async fn link(asked: &Asked, name: String) -> Reply {
    let (by, about) = (asked.person()?.name.clone(), name.clone());
    let path = asked.desk().link(Opens::Password { name: name.clone(), made_by: by.clone() });
    asked
        .desk()
        .change(move |people, at| {
            let details = serde_json::Value::Null;
            people.note(crate::store::audit::Deed {
                at,
                who: &by,
                what: "person.link",
                about: &about,
                details: &details,
            })
        })
        .await?;
    show(asked, Some((name, path))).await
}

pub(in crate::web) async fn change(asked: Asked, Path(name): Path<String>) -> Reply {
    let by = asked.person()?.name.clone();
    let desk = asked.desk();
    match asked.form().get("do") {
        "roles" => {
            let roles = ticked(&asked);
            desk.change(move |people, at| people.set_roles(&name, &roles, &by, at)).await?;
        }
        "disable" => desk.change(move |people, at| people.set_disabled(&name, true, &by, at)).await?,
        "enable" => desk.change(move |people, at| people.set_disabled(&name, false, &by, at)).await?,
        "link" => {
            let asked_name = name.clone();
            let person = desk.change(move |people, _| people.named(&asked_name)).await?.ok_or(Refusal::NotFound)?;
            return link(&asked, person.name).await;
        }
        _ => return Err(Refusal::NotFound),
    }
    Ok(go("/admin/people"))
}

impl People {
    fn has(&self, person: &Person, role: &Role) -> bool {
        person.roles.has(*role)
    }
}
