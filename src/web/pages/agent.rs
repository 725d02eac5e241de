//! An agent's own desk: state, the call in hand, what to say.

use std::collections::BTreeMap;

use axum::extract::Path;

use super::calls::caller;
use super::notes::{self, Form};
use crate::call::fact::{Fact, What};
use crate::call::presence::{Order, Refused, Shown};
use crate::cdr::{Record, Time, Word as _};
use crate::dialplan::plan::Hotline;
use crate::ids::{AgentNo, Side};
use crate::limits::API_PATIENCE;
use crate::rules::{Pack, Watch};
use crate::web::api::Answer;
use crate::web::live::state_of;
use crate::web::page::{Asked, Page, Refusal, Reply, go};

#[derive(askama::Template)]
#[template(path = "agent.html", config = "src/web/askama.toml")]
struct Desk {
    p: Page,
    it: State,
    /// Each hotline of this agent: its name and what it says to callers.
    texts: Vec<(String, Vec<(&'static str, String)>)>,
    /// A note for the call in hand, or for the last one.
    form: Option<Form>,
    /// Other calls of today that are not noted.
    unnoted: Vec<Record>,
}

#[derive(askama::Template)]
#[template(path = "agent_state.html", config = "src/web/askama.toml")]
struct StateOnly {
    p: Page,
    it: State,
}

struct State {
    agent: AgentNo,
    /// `None`: the switch knows no such agent, or does not answer.
    shown: Option<Shown>,
    state: &'static str,
    reasons: Vec<String>,
    has_wrap_up: bool,
    has_login: bool,
    call: Option<InHand>,
}

/// The call in hand.
struct InHand {
    record: Record,
    number: String,
    /// What is about to be broken in it, or just was; what to say then is among the words.
    cue: Option<&'static str>,
    /// Since when the agent's phone holds the caller.
    held: Option<Time>,
}

fn own(asked: &Asked) -> Result<AgentNo, Refusal> {
    asked.person()?.agent.clone().ok_or(Refusal::Told("agent-no-number"))
}

fn hotlines(asked: &Asked, agent: &AgentNo) -> Vec<std::sync::Arc<Hotline>> {
    let plans = asked.desk().plans();
    plans.hotlines.iter().filter(|hotline| hotline.everybody().contains(agent)).cloned().collect()
}

async fn wait<T>(answer: Option<Answer<T>>) -> Result<T, Refusal> {
    let answer = answer.ok_or(Refusal::Busy)?;
    tokio::time::timeout(API_PATIENCE, answer).await.map_err(|_| Refusal::Busy)?.map_err(|_| Refusal::Busy)
}

async fn state_now(asked: &Asked) -> Result<State, Refusal> {
    let agent = own(asked)?;
    let hotlines = hotlines(asked, &agent);
    let agents = wait(asked.desk().backend().agents()).await.unwrap_or_default();
    let shown = agents.into_iter().find(|shown| shown.agent == agent);
    let id = shown.as_ref().and_then(|shown| shown.call);
    let live = asked.desk().read(move |reader| id.map_or(Ok(None), |id| reader.call(id)));
    let mono = asked.desk().now().mono;
    let call = live.await?.filter(|call| call.record.ended_at.is_none()).map(|call| InHand {
        number: caller(&call.record, false),
        cue: Watch::standing_of(&call.facts, &Pack::built_in(), mono).map(|cue| cue.word()),
        held: held_since(&call.facts),
        record: call.record,
    });
    let mut reasons: Vec<String> = Vec::new();
    hotlines.iter().flat_map(|hotline| &hotline.duty.pause_reasons).for_each(|reason| {
        if !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    });
    Ok(State {
        state: shown.as_ref().map_or("unknown", |shown| state_of(shown).0),
        has_wrap_up: hotlines.iter().any(|hotline| !hotline.duty.wrap_up.is_zero()),
        has_login: hotlines.iter().any(|hotline| hotline.duty.login),
        agent,
        shown,
        reasons,
        call,
    })
}

fn held_since(facts: &[Fact]) -> Option<Time> {
    let hold = facts.iter().rev().find_map(|fact| match &fact.what {
        What::HoldStarted { by: Side::Agent } => Some(Some(Time(fact.at.wall()))),
        What::HoldEnded { by: Side::Agent } | What::TransferCompleted { .. } => Some(None),
        _ => None,
    });
    hold.flatten()
}

/// A text that ends with others, each behind a mark of its own: they are said one after the other, and written without one.
fn parted(text: &str, ends: &[&str]) -> String {
    let cut = |end: &&str| {
        let before = text.strip_suffix(*end).filter(|before| before.len() < text.len())?;
        before.chars().next_back().filter(|last| last.is_alphanumeric()).map(|last| (before.len(), last))
    };
    let cuts: BTreeMap<usize, char> = ends.iter().filter_map(cut).collect();
    let mut parted = text.to_owned();
    // From the last on: the others keep their places.
    for (at, last) in cuts.into_iter().rev() {
        parted.insert_str(at, if last.is_ascii() { ", " } else { "，" });
    }
    parted
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let it = state_now(&asked).await?;
    let of = |hotline: &Hotline| {
        let greeting = hotline.greeting.by_agent.get(&it.agent);
        let notice = hotline.greeting.notice.as_ref().map_or("", |notice| notice.prompt.text.as_str());
        let texts = greeting.into_iter().flat_map(|greeting| {
            let normal = parted(&greeting.normal.text, &[notice]);
            [("agent-greeting", normal), ("agent-late", parted(&greeting.late.text, &[&greeting.normal.text, notice]))]
        });
        (hotline.org.clone(), texts.collect())
    };
    let texts = hotlines(&asked, &it.agent).iter().map(|hotline| of(hotline)).collect();
    let live = it.call.as_ref().map(|call| &call.record);
    let (form, unnoted) = notes::of_desk(&asked, &it.agent, live).await?;
    asked.show(&Desk { p: asked.page(), it, texts, form, unnoted })
}

/// The part that changes.
pub(in crate::web) async fn state(asked: Asked) -> Reply {
    let it = state_now(&asked).await?;
    asked.show(&StateOnly { p: asked.page(), it })
}

pub(in crate::web) async fn order(asked: Asked, Path(order): Path<String>) -> Reply {
    let agent = own(&asked)?;
    let reason = Some(asked.form().get("reason").to_owned()).filter(|reason| !reason.is_empty());
    let order = match order.as_str() {
        "ready" => Order::Ready,
        "pause" => Order::Pause(reason),
        "wrap-up" => Order::WrapUp,
        "logout" => Order::LogOut,
        _ => return Err(Refusal::NotFound),
    };
    wait(asked.desk().backend().order(agent, order)).await?.map_err(|why| {
        Refusal::Told(match why {
            Refused::NoAgent => "agent-unknown",
            Refused::LoggedOut => "agent-logged-out",
            Refused::NoLogin => "agent-no-login",
            Refused::Reason => "agent-reason",
            Refused::NoSuccessor => "agent-no-successor",
            Refused::NoWrapUp | Refused::NotInWrapUp => "agent-no-wrap-up",
        })
    })?;
    Ok(go("/agent"))
}

#[cfg(test)]
mod tests {
    use super::parted;

    #[test]
    fn texts_that_are_said_one_after_the_other_are_shown_with_a_mark_between_them() {
        let (normal, notice) = ("您好，物业为您服务本次通话将被录音。", "本次通话将被录音。");
        assert_eq!(parted(normal, &[notice]), "您好，物业为您服务，本次通话将被录音。");
        let late = format!("不好意思,让您久等了{normal}");
        let shown = "不好意思,让您久等了，您好，物业为您服务，本次通话将被录音。";
        assert_eq!(parted(&late, &[normal, notice]), shown);
        for whole in ["您好", "Sorry. Hello", ""] {
            assert_eq!(parted(whole, &["Hello", "您好", ""]), whole, "nothing before it, or a mark already");
        }
        assert_eq!(
            parted("This is eightThis call is recorded", &["This call is recorded"]),
            "This is eight, This call is recorded"
        );
    }
}
