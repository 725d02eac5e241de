//! `/`: where each role begins.

use super::notes;
use crate::store::people::{Role, Roles};
use crate::web::page::{Asked, Reply, go};

/// The first of these that a person is decides.
const HOMES: [(Role, &str); 6] = [
    (Role::Qa, "/calls"),
    (Role::Lead, "/live"),
    (Role::Operator, "/live"),
    (Role::Agent, "/agent"),
    (Role::Auditor, "/admin/audit"),
    (Role::Admin, "/admin/people"),
];

pub(in crate::web) async fn go_home(asked: Asked) -> Reply {
    let home = of(asked.person()?.roles);
    // Whoever takes calls looks first at what was left over.
    if home == "/agent" && notes::has_unseen(&asked).await? {
        return Ok(go("/notes?show=carried"));
    }
    Ok(go(home))
}

fn of(roles: Roles) -> &'static str {
    HOMES.iter().find(|(role, _)| roles.has(*role)).map_or("/account", |(_, path)| path)
}
