//! What people did, and whether the log is as it was written.

use serde_json::json;

use crate::store::audit::{Audited, Break, Chain, Deed};
use crate::web::page::{Asked, Page, Reply};

const ROWS: usize = 100;

#[derive(askama::Template)]
#[template(path = "audit.html", config = "src/web/askama.toml")]
struct Audit {
    p: Page,
    rows: Vec<Audited>,
    about: String,
    /// Where the next page begins.
    before: Option<i64>,
    chain: Option<Chain>,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    show(&asked, None).await
}

async fn show(asked: &Asked, chain: Option<Chain>) -> Reply {
    let about = asked.query().get("about").to_owned();
    let before = asked.query().get("before").parse::<i64>().ok();
    let which = Some(about.clone()).filter(|about| !about.is_empty());
    let rows = asked.desk().read(move |reader| reader.audit(which.as_deref(), before, ROWS)).await?;
    let before = rows.last().map(|row| row.n).filter(|_| rows.len() == ROWS);
    asked.show(&Audit { p: asked.page(), rows, about, before, chain })
}

pub(in crate::web) async fn verify(asked: Asked) -> Reply {
    let who = asked.person()?.name.clone();
    let chain = asked.desk().read(|reader| reader.audit_chain()).await?;
    let found = match &chain {
        Chain::Whole { rows, head } => json!({ "rows": rows, "head": head }),
        Chain::Broken { n, .. } => json!({ "broken": n }),
    };
    let note = move |people: &mut crate::store::People, at| {
        people.note(Deed { at, who: &who, what: "audit.verified", about: "", details: &found })
    };
    asked.desk().change(note).await?;
    show(&asked, Some(chain)).await
}

impl Audit {
    fn short(&self, row: &Audited) -> String {
        row.hash.to_string().chars().take(12).collect()
    }

    fn found(&self) -> Option<(bool, String)> {
        let p = &self.p;
        self.chain.as_ref().map(|chain| match chain {
            Chain::Whole { rows, head } => (true, p.with("audit-whole", "n", rows) + &format!(" {rows}:{head}")),
            Chain::Broken { n, why: Break::Gap } => (false, p.with("audit-gap", "n", n)),
            Chain::Broken { n, why: Break::Changed } => (false, p.with("audit-changed", "n", n)),
        })
    }
}
